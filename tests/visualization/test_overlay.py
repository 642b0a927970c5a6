"""Outline, axes, box and label are drawn at the pixels where an own projection puts them."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from epropnp.data.schema import ObjectModel
from epropnp.visualization import overlay
from epropnp.visualization.overlay import (
    AXES_RGB,
    BOX_RGB,
    OUTLINE_RGB,
    Rectangle,
    draw_axes,
    draw_prediction,
    free_place,
    pose_label,
)
from tests.evaluation.known_errors import K, pose
from tests.inference.test_outline import TURNS, ball

GREY = 90


def plain(width: int = 640, height: int = 480) -> np.ndarray:
    return np.full((height, width, 3), GREY, np.uint8)


def near_colour(picture: np.ndarray, rgb: tuple[int, int, int], allowed: int = 40) -> np.ndarray:
    """Pixels (n, 2), x first, that look like a colour."""
    rows, columns = np.nonzero(np.abs(picture.astype(np.int16) - np.array(rgb, np.int16)).max(-1) <= allowed)
    return np.stack([columns, rows], 1)


def symmetric(motions: int) -> ObjectModel:
    return replace(ball(3000), symmetries=np.tile(np.eye(4), (motions, 1, 1)))


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("R", TURNS)
def test_an_axis_ends_where_its_tip_projects_to(R: np.ndarray, scale: float) -> None:
    picture, T = plain(int(640 * scale), int(480 * scale)), pose(R, (0.02, -0.01, 0.5))[0]
    camera = np.diag([scale, scale, 1]) @ K
    draw_axes(picture, camera, T, 0.08)
    for axis, colour in enumerate(AXES_RGB):
        ends = []
        for point in (T[:3, 3] + 0.08 * T[:3, axis], T[:3, 3]):
            x, y, z = point
            ends.append([camera[0, 0] * x / z + camera[0, 2], camera[1, 1] * y / z + camera[1, 2]])
        tip, origin = np.array(ends)
        length = np.linalg.norm(tip - origin)
        drawn = near_colour(picture, colour)
        along = (drawn - origin) @ (tip - origin) / length
        assert along.max() == pytest.approx(length, abs=2 + scale)
        across = drawn - origin - along[:, None] * (tip - origin) / length
        assert np.linalg.norm(across, axis=1).max() <= 2 + scale


def test_the_outline_is_a_ball_s_circle_on_a_dark_halo() -> None:
    picture = plain()
    draw_prediction(picture, K, pose(t=(0, 0, 0.4))[0], ball(8000), label="")
    drawn = near_colour(picture, OUTLINE_RGB)
    radius = K[0, 0] * 0.05 / np.sqrt(0.4**2 - 0.05**2)
    off = np.linalg.norm(drawn - K[:2, 2], axis=1) - radius
    assert np.abs(off).max() < 2.5  # half of that is the line's width
    assert abs(off.mean()) < 0.5
    assert len(drawn) > 2 * np.pi * radius * 0.6
    row, column = round(K[1, 2]), round(K[0, 2] + radius)
    assert (picture[row, column + 2 : column + 5].min(0) < GREY / 2).all()
    assert (picture[row, column - 5 : column - 2].min(0) < GREY / 2).all()
    assert (picture[row, column + 8] == GREY).all()


def test_the_box_lies_on_its_first_and_last_pixels() -> None:
    picture = plain()
    T = pose(t=(0, 0, np.nan))[0]
    draw_prediction(picture, K, T, ball(500), box=np.array([100.0, 50, 201, 81]))
    drawn = near_colour(picture, BOX_RGB)
    assert drawn.min(0).tolist() == [100, 50]
    assert drawn.max(0).tolist() == [300, 130]
    assert (picture[60:120, 110:290] == GREY).all()


@pytest.mark.parametrize("t", [(0, 0, -0.4), (0, 0, np.nan), (5, 0, 0.4), (np.inf, 0, 1)])
def test_nothing_is_drawn_behind_the_camera_beside_the_picture_or_of_no_pose(
    t: tuple[float, float, float],
) -> None:
    picture, placed = plain(), list[Rectangle]()
    draw_prediction(picture, K, pose(t=t)[0], ball(500), placed=placed, box=np.full(4, np.nan))
    assert (picture == GREY).all()
    assert placed == []


def test_an_axis_that_ends_behind_the_camera_is_left_out() -> None:
    picture = plain()
    draw_axes(picture, K, pose(t=(0.01, 0, 0.05))[0] @ np.diag([1, 1, -1, 1]), 0.06)
    assert len(near_colour(picture, AXES_RGB[0]))
    assert not len(near_colour(picture, AXES_RGB[2]))


@pytest.mark.parametrize(
    ("motions", "expected"),
    [
        (1, "cat"),
        (2, "cat: one of 2 equal poses"),
        (60, "cat: one of 60 equal poses"),
        (64, "cat: one of infinitely many equal poses"),
        (512, "cat: one of infinitely many equal poses"),
    ],
)
def test_a_label_tells_how_many_poses_look_the_same(motions: int, expected: str) -> None:
    assert pose_label(symmetric(motions)) == expected


@pytest.mark.parametrize("t", [(0, 0, 0.5), (-0.28, -0.2, 0.5), (0.28, 0.2, 0.5), (0, 0.18, 0.5)])
def test_a_label_is_whole_inside_the_picture(t: tuple[float, float, float]) -> None:
    picture, placed = plain(), list[Rectangle]()
    draw_prediction(picture, K, pose(t=t)[0], symmetric(2), placed=placed)
    ((x, y, w, h),) = placed
    assert 0 <= x <= 640 - w
    assert 0 <= y <= 480 - h
    plate = picture[round(y) : round(y + h), round(x) : round(x + w)]
    letters = near_colour(plate, OUTLINE_RGB, 80)
    assert len(letters) > 200
    assert letters[:, 0].max() - letters[:, 0].min() > 0.8 * w


def test_labels_of_one_picture_stand_apart() -> None:
    picture, placed = plain(), list[Rectangle]()
    for shift in range(12):
        T = pose(t=(0.01 * shift, 0.003 * shift, 0.6))[0]
        draw_prediction(picture, K, T, symmetric(2), placed=placed)
    assert len(placed) == 12
    for i, (x, y, w, h) in enumerate(placed):
        assert 0 <= y <= 480 - h
        for left, top, width, height in placed[:i]:
            assert x >= left + width or left >= x + w or y >= top + height or top >= y + h


def test_a_label_shrinks_into_a_small_picture() -> None:
    picture, placed = plain(90, 70), list[Rectangle]()
    camera = K.copy()
    camera[:2, 2] = 45, 35
    draw_prediction(picture, camera, pose(t=(0, 0, 2))[0], symmetric(64), placed=placed)
    ((x, y, w, h),) = placed
    assert x >= 0
    assert y >= 0
    assert x + w <= 90 + 1e-6
    assert y + h <= 70


def test_a_full_picture_puts_the_label_over_others() -> None:
    outline = np.array([[10.0, 10], [20, 20]])
    assert free_place((50, 10), (100, 60), outline, 2, [(0, 0, 100, 60)]) == (10, 22, 50, 10)


def test_lines_and_letters_grow_with_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five times the picture: five times the letters, and a line as much wider."""
    heights: list[float] = []
    kept: Callable[..., None] = overlay.draw_text
    monkeypatch.setattr(overlay, "draw_text", lambda *given: heights.append(given[3]) or kept(*given))
    for scale in (1, 5):
        picture = plain(640 * scale, 480 * scale)
        draw_prediction(picture, np.diag([scale, scale, 1]) @ K, pose(t=(0, 0, 0.4))[0], ball(3000))
        assert len(near_colour(picture, OUTLINE_RGB)) > 300 * scale**2
    assert heights[1] == pytest.approx(5 * heights[0])
