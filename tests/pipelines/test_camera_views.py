"""Sampled views are proper poses in the stated range, with the object inside the image."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.camera_views import (
    LINEMOD_K,
    LINEMOD_SIZE,
    ViewRange,
    look_at,
    project,
    rotation_to_ray,
    sample_view,
)

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
HULL = CORNERS * (0.05, 0.08, 0.06) + (0.01, 0.0, 0.02)
CENTRE = np.array([0.01, 0.0, 0.02])


@pytest.fixture(scope="module")
def views() -> np.ndarray:
    return np.stack([sample_view(np.random.default_rng(i), HULL) for i in range(400)])


def test_rotations_are_proper(views: np.ndarray) -> None:
    R = views[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1.0)


def test_object_lies_inside_the_image(views: np.ndarray) -> None:
    for T_cam_obj in views:
        pixels = project(HULL, T_cam_obj, LINEMOD_K)
        assert pixels.min() >= 0
        assert np.all(pixels.max(axis=0) <= np.array(LINEMOD_SIZE) - 1)


def test_camera_stands_in_the_stated_range(views: np.ndarray) -> None:
    camera = -np.einsum("nij,ni->nj", views[:, :3, :3], views[:, :3, 3]) - CENTRE
    distance = np.linalg.norm(camera, axis=1)
    sine = camera[:, 2] / distance
    assert distance.min() >= 0.6
    assert distance.max() <= 1.1
    assert sine.min() >= 0
    # Uniform on the hemisphere: the sine of the elevation is uniform, and so is the azimuth.
    assert abs(sine.mean() - 0.5) < 0.06
    assert np.histogram(np.arctan2(camera[:, 1], camera[:, 0]), 4)[0].min() > 60


def test_object_stands_upright_and_anywhere(views: np.ndarray) -> None:
    low = views[np.abs(views[:, 2, 2]) < 0.8]  # away from the zenith, where up is undefined
    assert np.mean(low[:, 1, 2] < 0) > 0.99  # the object's z axis points up in the image
    centres = np.stack([project(CENTRE[None], T, LINEMOD_K)[0] for T in views])
    assert centres[:, 0].std() > 130
    assert centres[:, 1].std() > 90


def test_tilt_is_cut() -> None:
    straight = ViewRange(tilt_sigma_deg=1000.0, tilt_max_deg=0.0)
    T_cam_obj = sample_view(np.random.default_rng(0), HULL, view_range=straight)
    ray = T_cam_obj[:3, :3] @ CENTRE + T_cam_obj[:3, 3]
    R = rotation_to_ray(ray).T @ T_cam_obj[:3, :3]
    assert abs(R[0, 2]) < 1e-12  # z axis without a sideways part


def test_look_at_from_the_zenith_is_defined() -> None:
    R = look_at(np.array([0.0, 0.0, 1.0]), 0.3)
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(R @ (0, 0, -1), (0, 0, 1), atol=1e-12)


def test_object_larger_than_the_image_falls_back_to_its_centre() -> None:
    T_cam_obj = sample_view(np.random.default_rng(0), HULL * 50)
    middle = project(50 * CENTRE[None], T_cam_obj, LINEMOD_K)[0]
    np.testing.assert_allclose(middle, (np.array(LINEMOD_SIZE) - 1) / 2)


def test_view_depends_on_the_generator_alone() -> None:
    first, again = (sample_view(np.random.default_rng(7), HULL) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, sample_view(np.random.default_rng(8), HULL))
