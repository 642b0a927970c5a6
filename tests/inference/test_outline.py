"""Outlines from points: those of the renderer's masks, a ball's known circle, a ring with its hole."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from epropnp.data.schema import ObjectModel
from epropnp.inference.outline import (
    LARGEST_SIDE,
    Silhouette,
    box_overlap,
    contours,
    outline_box,
    silhouette,
)
from pipelines.rendering.renderer import Renderer
from pipelines.standins.build import build_standin
from tests.evaluation.known_errors import K, model, pose

SIZE = (640, 480)
TURNS = [cv2.Rodrigues(np.array(axis))[0] for axis in ((2.0, 0, 0), (0.4, -1.5, 0.8), (1.0, 2.0, -0.5))]


@pytest.fixture(scope="module")
def cat() -> Renderer:
    return Renderer(build_standin("cat", resolution=48))


def of_points(points: np.ndarray) -> ObjectModel:
    return replace(model(), points=points.astype(np.float32))


def ball(count: int, radius_m: float = 0.05) -> ObjectModel:
    """Points that are spread evenly over a sphere."""
    step = np.arange(count) + 0.5
    z, turn = 1 - 2 * step / count, step * np.pi * (1 + 5**0.5)
    ring = np.sqrt(1 - z * z)
    return of_points(radius_m * np.stack([ring * np.cos(turn), ring * np.sin(turn), z], 1))


def in_picture(found: Silhouette, size: tuple[int, int]) -> np.ndarray:
    """Whether the window's nearest pixel is covered, for all pixels of the picture."""
    at = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), -1)
    x, y = np.moveaxis(np.rint((at - found.origin) / found.step_px).astype(int), -1, 0)
    inside = (x >= 0) & (y >= 0) & (x < found.mask.shape[1]) & (y < found.mask.shape[0])
    covered = np.zeros(size[::-1], bool)
    covered[inside] = found.mask[y[inside], x[inside]] > 0
    return covered


def rendered(renderer: Renderer, T: np.ndarray) -> np.ndarray:
    maps, full = renderer.maps(T, K, SIZE), np.zeros(SIZE[::-1], bool)
    (x, y), (h, w) = maps.origin, maps.mask.shape
    full[y : y + h, x : x + w] = maps.mask
    return full


def edge_distance(mask: np.ndarray, line: np.ndarray) -> np.ndarray:
    """From the points (n, 2) of a line to the mask's edge, px."""
    edge = mask & ~(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    rows, columns = np.nonzero(edge)
    gap = line[:, None] - np.stack([columns, rows], 1)
    return np.asarray(np.linalg.norm(gap, axis=-1).min(1))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("R", TURNS)
def test_the_points_of_a_mesh_give_its_rendered_mask(R: np.ndarray, cat: Renderer) -> None:
    T = pose(R, (0.03, 0.02, 0.55))[0]
    truth, given = rendered(cat, T), of_points(cat.mesh.vertices)
    found = silhouette(given, T, K, SIZE)
    assert found is not None
    assert overlap(in_picture(found, SIZE), truth) > 0.95
    distance = edge_distance(truth, np.concatenate(found.contours()))
    assert np.quantile(distance, 0.95) < 2
    rows, columns = np.nonzero(truth)
    x, y, last_x, last_y = columns.min(), rows.min(), columns.max(), rows.max()
    box = outline_box(given, T, K)
    assert box is not None
    np.testing.assert_allclose(box, [x, y, last_x - x + 1, last_y - y + 1], atol=1.2)


def test_five_hundred_points_give_a_sensible_outline(cat: Renderer) -> None:
    vertices = cat.mesh.vertices
    few = of_points(vertices[np.random.default_rng(0).choice(len(vertices), 500, replace=False)])
    T = pose(TURNS[0], (0.03, 0.02, 0.55))[0]
    found = silhouette(few, T, K, SIZE)
    assert found is not None
    assert overlap(in_picture(found, SIZE), rendered(cat, T)) > 0.75
    assert len(found.contours()) == 1


@pytest.mark.parametrize(("scale", "allowed_px"), [(1, 1.0), (6.5, 2.5)])
def test_a_ball_s_outline_is_a_circle_in_pictures_of_any_size(scale: float, allowed_px: float) -> None:
    """Its rays touch it at an angle with sine r / z: radius f r / sqrt(z^2 - r^2) on the optical axis."""
    size, camera = (int(640 * scale), int(480 * scale)), np.diag([scale, scale, 1]) @ K
    camera[1, 1] = camera[0, 0]
    found = silhouette(ball(20_000), pose(t=(0, 0, 0.4))[0], camera, size)
    assert found is not None
    assert max(found.mask.shape) < 1.05 * LARGEST_SIDE
    (line,) = found.contours()
    radius = camera[0, 0] * 0.05 / np.sqrt(0.4**2 - 0.05**2)
    np.testing.assert_allclose(np.linalg.norm(line - camera[:2, 2], axis=1), radius, atol=allowed_px)


def test_a_ring_keeps_its_hole_and_loses_the_gaps_between_its_points() -> None:
    """6 cm across, 2 cm thick; the 2 cm hole is seen at 1 m as 11.4 px across."""
    around, about = np.meshgrid(np.linspace(0, 2 * np.pi, 120, False), np.linspace(0, 2 * np.pi, 40, False))
    from_axis = 0.02 + 0.01 * np.cos(about)
    points = np.stack([from_axis * np.cos(around), from_axis * np.sin(around), 0.01 * np.sin(about)], -1)
    lines = contours(of_points(points.reshape(-1, 3)), pose()[0], K, SIZE)
    radii = sorted(np.linalg.norm(line - K[:2, 2], axis=1).mean() for line in lines)
    np.testing.assert_allclose(radii, [0.01 * 572.9, 0.03 * 572.9], atol=0.7)


def test_what_lies_outside_changes_nothing_inside_and_belongs_to_the_box() -> None:
    """A ball whose centre is on the left edge at x = 0, seen whole by a wider picture."""
    T = pose(t=(-K[0, 2] / K[0, 0] * 0.4, 0, 0.4))[0]
    half = silhouette(ball(5000), T, K, SIZE)
    moved = K + np.array([[0, 0, 200], [0, 0, 0], [0, 0, 0]])
    whole = silhouette(ball(5000), T, moved, (840, 480))
    assert half is not None
    assert whole is not None
    assert overlap(in_picture(half, SIZE), in_picture(whole, (840, 480))[:, 200:]) > 0.99
    box = outline_box(ball(5000), T, K)
    assert box is not None
    middle = np.arctan(K[0, 2] / K[0, 0])  # left of the optical axis
    half_width = np.arcsin(0.05 / (0.4 / np.cos(middle)))
    left, right = K[0, 2] - K[0, 0] * np.tan([middle + half_width, middle - half_width])
    assert left < -70
    np.testing.assert_allclose(box[[0, 2]], [left + 0.5, right - left], atol=0.5)


@pytest.mark.parametrize("t", [(0, 0, -0.4), (0, 0, 0.04), (0, 0, np.nan), (0, np.inf, 1)])
def test_no_pose_and_points_behind_the_camera_have_no_outline(t: tuple[float, float, float]) -> None:
    """At 4 cm the camera is inside of the ball."""
    T = pose(t=t)[0]
    assert silhouette(ball(500), T, K, SIZE) is None
    assert outline_box(ball(500), T, K) is None
    assert contours(ball(500), T, K, SIZE) == []


@pytest.mark.parametrize("t", [(1, 0, 0.4), (-1, 0, 0.4), (0, 1, 0.4), (0, -1, 0.4)])
def test_an_object_beside_the_picture_has_a_box_only(t: tuple[float, float, float]) -> None:
    T = pose(t=t)[0]
    assert contours(ball(500), T, K, SIZE) == []
    assert outline_box(ball(500), T, K) is not None


def test_one_point_is_outlined_too() -> None:
    lines = contours(of_points(np.zeros((1, 3))), pose()[0], K, SIZE)
    np.testing.assert_allclose(np.concatenate(lines), [K[:2, 2]], atol=0.5)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ((0, 0, 10, 10), 1),
        ((5, 0, 10, 10), 1 / 3),
        ((2, 2, 5, 4), 0.2),
        ((10, 0, 5, 5), 0),
        ((20, 20, 5, 5), 0),
    ],
)
def test_overlap_of_boxes(other: tuple[float, ...], expected: float) -> None:
    first, second = np.array([0.0, 0, 10, 10]), np.array(other, float)
    assert box_overlap(first, second) == pytest.approx(expected)
    assert box_overlap(second, first) == pytest.approx(expected)
    assert box_overlap(0 * first, 0 * first) == 0


def test_a_box_starts_at_the_first_pixel_centre_on_average() -> None:
    """Four points 5 cm from the optical axis, at 1 m."""
    half = 0.05 * K[[0, 1], [0, 1]]
    expected = [*(K[:2, 2] - half + 0.5), *(2 * half)]
    box = outline_box(model(), pose()[0], K)
    assert box is not None
    np.testing.assert_allclose(box, expected, atol=1e-4)
