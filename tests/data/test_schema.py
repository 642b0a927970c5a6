"""An object's entry: the units of its coordinates."""

from dataclasses import replace

import numpy as np

from tests.data.sets import make_model


def test_coordinates_are_scaled_by_the_bounds_unless_these_are_a_tenth_of_the_extent() -> None:
    """|min| 1 of an extent of 10 is the extent's tenth: the extent. 1.25 is more."""
    low, high = np.array([-1.0, -1.25, 4.0]), np.array([9.0, 8.75, 5.0])
    scaled = replace(make_model(), bounds_min=low, bounds_max=high)
    assert scaled.coord_scale.tolist() == [10, 1.25, 4]
    assert scaled.extent.tolist() == [10, 10, 1]
