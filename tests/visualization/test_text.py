"""Letters stand where they are told, in their colour, and are as wide as was said before."""

import numpy as np
import pytest

from epropnp.visualization.text import CAPITALS, draw_text, text_width


def ink(picture: np.ndarray) -> tuple[int, int, int, int]:
    """First and last column and row with anything."""
    rows, columns = np.nonzero(picture.max(-1) > 60)
    return columns.min(), columns.max(), rows.min(), rows.max()


@pytest.mark.parametrize("height", [16.0, 60.0])
def test_a_line_lies_below_and_right_of_its_corner(height: float) -> None:
    picture = np.zeros((120, 500, 3), np.uint8)
    draw_text(picture, "HEXE", (30, 20), height, (10, 220, 130))
    left, right, top, bottom = ink(picture)
    assert 30 <= left < 30 + 0.2 * height
    assert right == pytest.approx(30 + text_width("HEXE", height), abs=1.5)
    assert top >= 20
    assert bottom - top + 1 == pytest.approx(CAPITALS * height, abs=1.5)
    full = picture[picture[..., 1] == 220]
    assert len(full)
    assert (full == (10, 220, 130)).all()


def test_what_hangs_over_the_picture_s_edge_is_cut_off() -> None:
    whole, part = np.zeros((60, 200, 3), np.uint8), np.zeros((20, 100, 3), np.uint8)
    draw_text(whole, "Größe", (50, 20), 30, (255, 255, 255))
    draw_text(part, "Größe", (-10, -12), 30, (255, 255, 255))
    np.testing.assert_allclose(part.astype(int), whole[32:52, 60:160], atol=32)  # edges, two cells of 16
    assert (part == 255).any()
    before = part.copy()
    for corner in ((-500, 0), (0, -80), (150, 5), (5, 90)):
        draw_text(part, "Größe", corner, 30, (255, 255, 255))
    draw_text(part, "  ", (5, 5), 30, (255, 255, 255))
    np.testing.assert_array_equal(part, before)
    assert text_width("", 30) == 0
