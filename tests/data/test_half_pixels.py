"""Half pixels: what is cut, shrunk, stretched or pasted stays where it was, by values worked out by hand.

Pixel centres are at integer coordinates. Cell m of n cells over s pixels from x0 on lies at
`x0 - 1/2 + (m + 1/2) s / n`; a picture whose grey level is its own column says so at every cell.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epropnp.data.augment import composite, random_piece, random_rectangles, rectangle_cells
from epropnp.data.config import AugmentConfig
from epropnp.data.crop import Crop, sample_maps, warp_rgba
from epropnp.data.dataset import Batch
from epropnp.data.schema import Record
from tests.data.sets import make_record

SIDE, STEP = 60, 4  # of the record, px; grey levels per pixel of its ramps
ORIGIN = np.array([100, 70])  # of the record's crop
MAP_ORIGIN = np.array([110, 78])


def ramps() -> Record:
    """Red and green say column and row of the crop; the coordinate map says them of the image."""
    y, x = np.mgrid[:SIDE, :SIDE]
    row, column = np.mgrid[:40, :40]
    place = np.stack([column + MAP_ORIGIN[0], row + MAP_ORIGIN[1], 0 * row], -1)
    blank = vars(make_record(0, SIDE))
    changes = {
        "crop_origin": ORIGIN.astype(np.int32),
        "rgb": (STEP * np.stack([x, y, 0 * x], -1)).astype(np.uint8),
        "map_origin": MAP_ORIGIN.astype(np.int32),
        "mask": np.full((40, 40), 255, np.uint8),
        "coords": (100 * place).astype(np.uint16),
    }
    return Record(**(blank | changes))


# The square from the pixel edge 119.5 on, of so many pixels, in so many cells: the first cells' columns, and
# the nearest pixels' where there is one.
ZOOMS = [
    (16, 16, (120, 121, 122), (120, 121, 122)),
    (16, 32, (119.75, 120.25, 120.75), (120, 120, 121)),
    (16, 8, (120.5, 122.5, 124.5), None),
    (24, 8, (121, 124, 127), (121, 124, 127)),
    (16, 4, (121.5, 125.5, 129.5), None),
]


@pytest.mark.parametrize(("side", "cells", "columns", "nearest"), ZOOMS)
def test_a_ramp_stays_a_ramp_at_the_cells_centres(
    side: int, cells: int, columns: tuple[float, ...], nearest: tuple[int, ...] | None
) -> None:
    """Exactly: every expected grey level is a whole number."""
    crop = Crop(np.array([119.5 + side / 2, 89.5 + side / 2]), float(side))
    rgba = warp_rgba(ramps(), crop, cells).astype(float)
    np.testing.assert_array_equal(rgba[0, :3, 0] / STEP + 100, columns)
    np.testing.assert_array_equal(rgba[:3, 0, 1] / STEP + 70, np.array(columns) - 30)
    np.testing.assert_allclose(np.diff(rgba[..., 0], axis=1), STEP * side / cells)
    assert (rgba[..., 3] == 255).all()
    mask, coords = sample_maps(ramps(), crop, cells)
    assert mask.all()
    assert np.abs(coords[0, :3, 0] / 100 - columns).max() <= 0.5
    if nearest is not None:
        assert coords[0, :3, 0].tolist() == [100 * column for column in nearest]
        assert coords[:3, 0, 1].tolist() == [100 * (column - 30) for column in nearest]


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_quarter_turn_of_the_crop_turns_its_picture(quarters: int) -> None:
    """Exactly, about its centre: `to_cells` and the rotation that K gets are one and the same."""
    straight = Crop(np.array([127.5, 97.5]), 16.0)
    turned = Crop(straight.centre, 16.0, quarters * np.pi / 2)
    first, second = (warp_rgba(ramps(), crop, 16) for crop in (straight, turned))
    np.testing.assert_array_equal(second, np.rot90(first, -quarters))
    # A point two columns right of the centre goes two rows below it.
    moved = turned.rotation @ (129.5, 97.5, 1)
    expected = {1: (127.5, 99.5), 2: (125.5, 97.5), 3: (127.5, 95.5)}[quarters]
    np.testing.assert_allclose(moved[:2], expected, atol=1e-9)
    K = np.array([[50.0, 0, 130], [0, 50.0, 90], [0, 0, 1]])
    ray = np.array([-0.01, 0.15, 1])  # of that point: (130 - 0.5, 90 + 7.5)
    np.testing.assert_allclose((turned.camera(K) @ ray)[:2], expected, atol=1e-9)
    cell = turned.to_cells(16) @ (129.5, 97.5, 1)
    np.testing.assert_allclose(cell, np.array(expected) - turned.corner - 0.5, atol=1e-9)
    np.testing.assert_allclose(turned.to_cells(16, (100, 70)) @ (29.5, 27.5, 1), cell, atol=1e-9)


def test_no_value_is_made_up_between_object_and_background() -> None:
    """A silhouette through the map: every cell has a coordinate that some pixel has, and its own mask."""
    record = ramps()
    coords = np.where(np.arange(40)[None, :, None] < 20, 1000, 60000).astype(np.uint16)
    mask = np.where(np.arange(40)[None] < 20, 255, 0).astype(np.uint8)
    record = Record(
        **(
            vars(record)
            | {"coords": np.broadcast_to(coords, (40, 40, 3)).copy(), "mask": np.repeat(mask, 40, 0)}
        )
    )
    for angle in (0.0, 0.4):
        seen, found = sample_maps(record, Crop(np.array([129.3, 97.1]), 23.7, angle), 64)
        assert set(np.unique(found)) == {1000, 60000}
        np.testing.assert_array_equal(seen, found[..., 0] == 1000)


def test_points_lie_at_the_cells_centres_row_by_row() -> None:
    batch = Batch(
        image=torch.zeros(1, 16, 16, 3),
        coords=torch.zeros(1, 3, 4, 4),
        mask=torch.zeros(1, 4, 4, dtype=torch.bool),
        K=torch.eye(3)[None],
        T_cam_obj=torch.eye(4)[None],
        corner=torch.tensor([[10.0, 20.0]]),
        side=torch.tensor([8.0]),
        coord_scale=torch.ones(1, 3),
        object_id=torch.zeros(1),
        index=torch.zeros(1),
    )
    points = batch.points_img(batch.mask.shape[-1])[0]
    assert points[:5].tolist() == [[11, 21], [13, 21], [15, 21], [17, 21], [11, 23]]
    assert points[-1].tolist() == [17, 27]
    corners = batch.points_img(batch.mask.shape[-1], 0.0)[0]
    assert corners[:5].tolist() == [
        [10, 20],
        [12, 20],
        [14, 20],
        [16, 20],
        [10, 22],
    ]


def test_a_rectangle_hides_the_same_part_of_image_and_map() -> None:
    """x from a quarter to a half, y from an eighth to the whole; edges are rounded to whole cells."""
    assert rectangle_cells((0.25, 0.125, 0.5, 1.0), 16) == (slice(2, 16), slice(4, 8))
    assert rectangle_cells((0.25, 0.125, 0.5, 1.0), 64) == (slice(8, 64), slice(16, 32))
    assert rectangle_cells((-0.3, 0.24, 0.34, 1.7), 10) == (slice(2, 10), slice(0, 3))


def test_rectangles_have_the_stated_sides_and_places() -> None:
    """Sides uniform from 0.1 to 0.35 of the crop, each its own, centres from 0.1 to 0.9; one to three."""
    rng = np.random.default_rng(0)
    drawn = [random_rectangles(AugmentConfig(occlusion=1.0, occluders=3), rng) for _ in range(1500)]
    counts = np.bincount([len(rectangles) for rectangles in drawn], minlength=4)
    assert counts[0] == 0
    assert np.abs(counts[1:] - 500).max() < 100  # five standard deviations
    x0, y0, x1, y1 = np.array([rectangle for rectangles in drawn for rectangle in rectangles]).T
    for low, high in ((x0, x1), (y0, y1)):
        for values, least, most in ((high - low, 0.1, 0.35), ((low + high) / 2, 0.1, 0.9)):
            assert least - 1e-9 <= values.min() < least + 0.02
            assert most - 0.02 < values.max() <= most + 1e-9
            assert values.mean() == pytest.approx((least + most) / 2, abs=0.02)
    assert abs(np.corrcoef(x1 - x0, y1 - y0)[0, 1]) < 0.1


def test_a_piece_of_a_picture_is_cut_anywhere_mirrored_half_the_time_and_stays_a_ramp() -> None:
    """Red says the column, green the row. Cell m of 64 over 128 pixels lies at column x0 + 2 m + 1/2."""
    y, x = np.mgrid[:256, :256]
    picture, rng = np.stack([x, y, 0 * x], -1).astype(np.uint8), np.random.default_rng(0)
    corners, mirrored, cells = [], 0, 2 * np.arange(64) + 0.5
    for _ in range(300):
        piece = random_piece(picture, (64, 64), (0.5, 0.5), rng).astype(float)
        row = piece[0, ::-1, 0] if piece[0, 0, 0] > piece[0, -1, 0] else piece[0, :, 0]
        mirrored += piece[0, 0, 0] > piece[0, -1, 0]
        x0, y0 = round(row[0] - 0.6), round(piece[0, 0, 1] - 0.6)  # a half is rounded up or down
        corners.append((x0, y0))
        assert np.abs(row - x0 - cells).max() <= 1
        assert abs((row - x0 - cells).mean()) <= 0.5
        assert np.abs(piece[:, 0, 1] - y0 - cells).max() <= 1
    assert 110 < mirrored < 190
    assert np.min(corners, axis=0).tolist() < [6, 6]
    assert (np.max(corners, axis=0) > 122).all()
    assert abs(np.corrcoef(np.array(corners).T)[0, 1]) < 0.25
    # Half of the columns are rounded up and half down, or a quarter pixel would be missing somewhere.
    sides = [np.ptp(random_piece(picture, (4, 4), (0.4, 1.0), rng)[..., 1].astype(float)) for _ in range(300)]
    assert 0.75 * 102 - 2 < min(sides) < 0.75 * 115  # of four cells the outer two are 3/4 of the side apart
    assert 0.75 * 243 < max(sides) < 0.75 * 256 + 2


def test_the_object_is_pasted_by_its_own_alpha() -> None:
    rgba = np.array([[[200, 100, 50, 255], [200, 100, 50, 0], [200, 100, 50, 51]]], np.uint8)
    behind = np.array([[[10, 20, 30]] * 3], np.uint8)
    expected = [[200, 100, 50], [10, 20, 30], [48, 36, 34]]  # a fifth of the object, four fifths behind
    np.testing.assert_array_equal(composite(rgba, behind)[0], expected)
