"""Rectangles that hide, pieces of pictures, the paste of an object: places and sizes worked out by hand."""

import numpy as np
import pytest

from epropnp.data.augment import composite, random_piece, random_rectangles, rectangle_cells
from epropnp.data.config import AugmentConfig


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
