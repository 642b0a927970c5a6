"""Views near given ones have their elevations, tilts, distances and cameras, and any azimuth."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipelines.rendering.camera_views import Viewpoint, ViewRange, project, viewpoint_of
from pipelines.rendering.views import Camera, GivenViews, RangedViews

HULL = np.array([[x, y, z] for x in (-0.01, 0.03) for y in (-0.02, 0.02) for z in (0.0, 0.03)])
MIDDLE = np.array([0.01, 0.0, 0.015])
CAMERA = Camera(K=np.array([[400.0, 0, 150], [0, 410, 130], [0, 0, 1]]), image_size=(320, 240))
OTHER = Camera(K=np.array([[800.0, 0, 310], [0, 800, 250], [0, 0, 1]]), image_size=(640, 480))


def pose(elevation_deg: float, azimuth_deg: float, tilt_deg: float, distance_m: float) -> np.ndarray:
    """The object in the middle of the picture, by turns about its own axes: azimuth, elevation, tilt."""
    upright = np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]])  # seen from +x, z up
    turned = Rotation.from_euler("z", -azimuth_deg, degrees=True).as_matrix()
    lifted = Rotation.from_euler("x", elevation_deg, degrees=True).as_matrix()
    rolled = Rotation.from_euler("z", tilt_deg, degrees=True).as_matrix()
    T = np.eye(4)
    T[:3, :3] = rolled @ lifted @ upright @ turned
    T[:3, 3] = np.array([0, 0, distance_m]) - T[:3, :3] @ MIDDLE
    return T


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 50, 20), (-40, 200, -170), (85, 10, 5)])
def test_a_viewpoint_is_read_off_a_pose(angles: tuple[float, float, float]) -> None:
    elevation, azimuth = np.radians(angles[:2])
    found = viewpoint_of(pose(*angles, 0.5), MIDDLE)
    place = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
    np.testing.assert_allclose(found.direction, place, atol=1e-9)
    assert found.tilt_deg == pytest.approx(angles[2], abs=1e-6)
    assert found.distance_m == pytest.approx(0.5)


def test_a_viewpoint_stays_what_it_is_wherever_the_object_lies_in_the_picture() -> None:
    views = RangedViews(camera=CAMERA, range=ViewRange(distance_min_m=0.5, distance_max_m=0.5))
    for seed in range(20):
        T, _ = views.sample(np.random.default_rng(seed), HULL)
        found = viewpoint_of(T, MIDDLE)
        assert found.distance_m == pytest.approx(0.5)
        assert np.degrees(np.arcsin(found.direction[2])) >= 10 - 1e-6
        assert abs(found.tilt_deg) <= 45 + 1e-6


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Viewpoint, Camera, np.ndarray]]:
    poses = [pose(20, 10, 0, 0.4), pose(-30, 15, 90, 0.8)]
    views = GivenViews(viewpoints=tuple(viewpoint_of(T, MIDDLE) for T in poses), cameras=(CAMERA, OTHER))
    found = [views.sample(np.random.default_rng(seed), HULL) for seed in range(600)]
    return [(viewpoint_of(T, MIDDLE), camera, T) for T, camera in found]


def test_each_view_is_like_one_given(drawn: list[tuple[Viewpoint, Camera, np.ndarray]]) -> None:
    for camera, elevation, tilt, distance in ((CAMERA, 20, 0, 0.4), (OTHER, -30, 90, 0.8)):
        own = [view for view, used, _ in drawn if used is camera]
        assert len(own) == pytest.approx(300, abs=60)
        elevations = np.degrees(np.arcsin([view.direction[2] for view in own]))
        tilts = np.array([view.tilt_deg for view in own])
        for values, mean in ((elevations, elevation), (tilts, tilt)):
            assert values.mean() == pytest.approx(mean, abs=1)
            assert values.std() == pytest.approx(5, abs=0.8)
        distances = np.array([view.distance_m for view in own])
        assert distances.min() > 0.95 * distance - 1e-9
        assert distances.max() < 1.05 * distance + 1e-9
        assert np.ptp(distances) > 0.09 * distance


def test_the_azimuth_is_any(drawn: list[tuple[Viewpoint, Camera, np.ndarray]]) -> None:
    azimuths = np.arctan2(*np.array([view.direction[1::-1] for view, _, _ in drawn]).T)
    counts, _ = np.histogram(azimuths, bins=6, range=(-np.pi, np.pi))
    assert counts.min() > 60  # of 100 expected


def test_the_object_lies_in_its_camera_s_picture(drawn: list[tuple[Viewpoint, Camera, np.ndarray]]) -> None:
    for _, camera, T in drawn:
        pixels = project(HULL, T, camera.K)
        assert pixels.min() >= 2
        assert np.all(pixels.max(axis=0) <= np.array(camera.image_size) - 3)


def test_a_range_of_distances_goes_over_the_given_ones() -> None:
    views = GivenViews(
        viewpoints=(viewpoint_of(pose(20, 10, 0, 0.4), MIDDLE),), cameras=(CAMERA,), distance_m=(1.0, 2.0)
    )
    found = [views.sample(np.random.default_rng(seed), HULL)[0] for seed in range(200)]
    distances = [viewpoint_of(T, MIDDLE).distance_m for T in found]
    assert 1.0 <= min(distances) < 1.05
    assert 1.95 < max(distances) <= 2.0


def test_a_sphere_of_views_is_even_and_any_way_up() -> None:
    sphere = ViewRange(elevation_min_deg=-90.0, tilt_sigma_deg=np.inf, tilt_max_deg=180.0)
    found = [sphere.draw(np.random.default_rng(seed)) for seed in range(2000)]
    heights = np.array([view.direction[2] for view in found])
    assert heights.mean() == pytest.approx(0, abs=0.05)
    assert heights.var() == pytest.approx(1 / 3, abs=0.03)
    tilts = np.array([view.tilt_deg for view in found])
    assert tilts.std() == pytest.approx(360 / np.sqrt(12), rel=0.05)
