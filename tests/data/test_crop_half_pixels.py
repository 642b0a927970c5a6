"""Half pixels: what is cut, shrunk or stretched stays where it was, by values worked out by hand.

Pixel centres are at integer coordinates. Cell m of n cells over s pixels from x0 on lies at
`x0 - 1/2 + (m + 1/2) s / n`; a picture whose grey level is its own column says so at every cell.
"""

import numpy as np
import pytest

from epropnp.data.crop import Crop, sample_maps, warp_rgba
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
