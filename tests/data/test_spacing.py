"""How far points are apart, on a lattice that tells it."""

import numpy as np
import pytest

from epropnp.data.spacing import spacing_m


def test_spacing_is_that_of_a_square_lattice_s_next_but_one_neighbours() -> None:
    x, y = np.meshgrid(np.arange(100.0), np.arange(100.0))
    plane = np.stack([x, y, 0 * x], -1).reshape(-1, 3)
    assert spacing_m(0.002 * plane) == pytest.approx(0.002 * 2**0.5)
    assert spacing_m(plane[:1]) == 0
