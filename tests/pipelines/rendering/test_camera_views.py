"""Sampled views are proper poses in the stated range, with the object inside the image."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from pipelines.rendering.camera_views import (
    LINEMOD_K,
    LINEMOD_SIZE,
    ViewRange,
    look_at,
    project,
    rotation_to_ray,
    sample_view,
)
from tests.pipelines.sheets import sheet

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
    assert distance.max() <= 1.15
    assert sine.min() >= np.sin(np.radians(10))
    # Even on the sphere: the sine of the elevation is uniform, and so is the azimuth.
    assert abs(sine.mean() - (np.sin(np.radians(10)) + 1) / 2) < 0.05
    assert np.histogram(np.arctan2(camera[:, 1], camera[:, 0]), 4)[0].min() > 60


def seen_from(poses: np.ndarray) -> dict[str, np.ndarray]:
    """What a camera view is made of, for poses (n, 4, 4) of one object."""
    camera = -np.einsum("nij,ni->nj", poses[:, :3, :3], poses[:, :3, 3])
    tilts = []
    for T_cam_obj, place in zip(poses, camera, strict=True):
        R = rotation_to_ray(T_cam_obj[:3, 3]).T @ T_cam_obj[:3, :3] @ look_at(place, 0.0).T
        tilts.append(np.degrees(np.arctan2(R[1, 0], R[0, 0])))
    distance = np.linalg.norm(camera, axis=1)
    return {
        "distance_m": distance,
        "elevation_sin": camera[:, 2] / distance,
        "azimuth_rad": np.arctan2(camera[:, 1], camera[:, 0]),
        "tilt_deg": np.abs(tilts),  # its sign is the recording's
    }


def test_views_are_distributed_as_those_of_linemod(real_lm: Path) -> None:
    """All 678 annotated frames of the cat against drawn ones: Kolmogorov-Smirnov distances, ranges."""
    poses = []
    for entries in json.loads((real_lm / "test/000006/scene_gt.json").read_text()).values():
        entry = next(entry for entry in entries if entry["obj_id"] == 6)
        T_cam_obj = np.eye(4)
        T_cam_obj[:3, :3] = np.reshape(entry["cam_R_m2c"], (3, 3))
        T_cam_obj[:3, 3] = np.array(entry["cam_t_m2c"]) / 1000
        poses.append(T_cam_obj)
    real = seen_from(np.stack(poses))
    hull = HULL - CENTRE
    drawn = seen_from(np.stack([sample_view(np.random.default_rng(i), hull) for i in range(2000)]))
    limits = {"distance_m": 0.15, "elevation_sin": 0.1, "azimuth_rad": 0.08, "tilt_deg": 0.1}
    for name, limit in limits.items():
        assert ks_2samp(real[name], drawn[name]).statistic < limit, name
        outside = (real[name] < drawn[name].min()) | (real[name] > drawn[name].max())
        assert outside.mean() < 0.005, name  # what is recorded is also drawn


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


def test_a_view_may_touch_the_border_of_two_pixels_and_is_placed_anew_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The projected hull must lie from 2 to 637 and from 2 to 477, these included."""
    cases = [((2.0, 2.0, 637.0, 477.0), True)]
    cases += [((1.9, 2.0, 637.0, 477.0), False), ((2.0, 2.0, 637.1, 477.0), False)]
    cases += [((2.0, 1.9, 637.0, 477.0), False), ((2.0, 2.0, 637.0, 477.1), False)]
    for outermost, accepted in cases:
        left, top, right, bottom = outermost
        pixels = np.array([[left, top], [right, bottom]])
        calls: list[int] = []
        monkeypatch.setattr(
            "pipelines.rendering.camera_views.project",
            lambda *_, found=pixels, seen=calls: seen.append(1) or found,
        )
        sample_view(np.random.default_rng(0), sheet(0.1, 0.1).vertices)
        assert len(calls) == (1 if accepted else 1000)
