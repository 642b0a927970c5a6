"""What is stored of a picture, by hand: the box of a mask, the square around it, a cut of an image."""

from typing import Any

import numpy as np
import pytest

from epropnp.data.crop import cut
from pipelines.rendering.records import crop_window, mask_box


@pytest.mark.parametrize(
    ("box", "side"), [((100, 50, 10, 5), 24), ((100, 50, 5, 4), 12), ((0, 0, 1, 1), 3), ((7, 9, 20, 50), 120)]
)
def test_a_stored_crop_is_centred_on_its_box(box: tuple[int, int, int, int], side: int) -> None:
    """2.4 times the larger side, rounded up; its middle within half a pixel of the box's."""
    origin, found = crop_window(box)
    assert found == side
    for axis in (0, 1):
        assert abs(origin[axis] + (side - 1) / 2 - box[axis] - (box[axis + 2] - 1) / 2) <= 0.5


def test_a_box_holds_its_mask_and_a_cut_its_window() -> None:
    mask = np.zeros((6, 9), bool)
    mask[2:5, 3:8] = True
    assert mask_box(mask) == (3, 2, 5, 3)
    assert mask_box(mask, (10, 20)) == (13, 22, 5, 3)
    image: Any = np.arange(1, 13).reshape(3, 4)
    found = cut(image, (10, 20), (8, 21), (3, 4))
    np.testing.assert_array_equal(found, [[0, 0, 5, 6], [0, 0, 9, 10], [0, 0, 0, 0]])
    assert not cut(image, (10, 20), (14, 20), (2, 2)).any()
