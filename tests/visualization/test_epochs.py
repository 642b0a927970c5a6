"""Frames of epochs: contours lie where the poses put them, weights where the cells are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from epropnp.visualization.epochs import (
    LINE_PX,
    MARGIN_PX,
    POSE_RGB,
    TILE_PX,
    Tile,
    draw_contour,
    epoch_frame,
    save_animation,
    save_frame,
)
from tests.visualization.test_posterior import BALL, K_CROP, T


def tile() -> Tile:
    weights = np.zeros((8, 8))
    weights[1, 6] = 3.0
    return Tile(
        crop=np.full((120, 120, 3), 90, np.uint8),
        K_crop=K_CROP,
        T_pred=T,
        T_true=T,
        weights=weights,
        model=BALL,
        label="3 mm = 0.02 d",
    )


def test_a_contour_lies_where_the_pose_puts_the_object() -> None:
    """A ball of 4 cm at (1, -2, 50) cm, f = 300 px: 24 px around (66, 38)."""
    image = np.zeros((120, 120, 3), np.uint8)
    draw_contour(image, K_CROP, T, BALL, POSE_RGB, 1)
    y, x = np.nonzero(image[..., 0] > 128)
    radius = np.hypot(x - (300 * 0.01 / 0.5 + 60), y - (300 * -0.02 / 0.5 + 50))
    assert len(radius) > 100
    assert abs(radius - 24).max() < 2.5


@pytest.mark.parametrize("z", [-0.5, np.nan])
def test_nothing_is_drawn_of_a_pose_that_is_none(z: float) -> None:
    image, T_none = np.zeros((120, 120, 3), np.uint8), T.copy()
    T_none[2, 3] = z
    draw_contour(image, K_CROP, T_none, BALL, POSE_RGB, 1)
    assert not image.any()


def test_a_frame_holds_a_column_for_each_image() -> None:
    far = replace(tile(), T_pred=T @ np.diag([1.0, 1, -1, 1]) * np.nan)
    frame = epoch_frame("epoch 3 of 40", [tile(), far])
    assert frame.shape == (2 * LINE_PX + 2 * TILE_PX + MARGIN_PX, 2 * TILE_PX + MARGIN_PX, 3)
    top = 2 * LINE_PX
    yellow = [
        (np.abs(part.astype(int) - POSE_RGB).max(axis=-1) < 40).sum()
        for part in (frame[top : top + TILE_PX, :TILE_PX], frame[top : top + TILE_PX, -TILE_PX:])
    ]
    assert yellow[0] > 50
    assert yellow[1] == 0
    maps = frame[-TILE_PX:, :TILE_PX].astype(int)
    cell = TILE_PX // 8
    bright = np.argwhere(maps.sum(axis=-1) > maps.sum(axis=-1).min() + 100)
    assert bright.min(axis=0).tolist() == [cell, 6 * cell]
    assert bright.max(axis=0).tolist() == [2 * cell - 1, 7 * cell - 1]


@pytest.mark.parametrize("value", [np.inf, np.nan, 0.0])
def test_weights_that_are_none_are_drawn_as_none(value: float) -> None:
    """A network from scratch, before its first update, may have infinite ones."""
    weights = tile().weights.copy()
    weights[1, 6] = value
    drawn = epoch_frame("epoch 0 of 2", [replace(tile(), weights=weights)])[-TILE_PX:]
    assert (drawn == drawn[0, 0]).all()


def test_an_animation_shows_the_last_frame_where_nothing_moves(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.png" for i in range(3)]
    for i, file in enumerate(files):
        save_frame(epoch_frame(f"epoch {i}", [tile()]), file)
    save_animation(files, tmp_path / "moving.png")
    with Image.open(tmp_path / "moving.png") as moving, Image.open(files[-1]) as last:
        gap = np.asarray(moving.convert("RGB"), int) - np.asarray(last.convert("RGB"), int)
        assert np.abs(gap).mean() < 1
        assert moving.n_frames == 4  # type: ignore[attr-defined]
