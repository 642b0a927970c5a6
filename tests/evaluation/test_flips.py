"""Flips against a table that was counted by hand."""

import numpy as np

from epropnp.evaluation.flips import Flips, flips


def test_right_in_most_seeds_here_and_in_none_there() -> None:
    here = np.array(  # right in 3, 2, 1, 2, 3, 0, 0, 0 of three seeds
        [
            [100, 100, 100, 100, 100, 0, 0, 0],
            [100, 100, 0, 100, 100, 0, 0, 0],
            [100, 0, 0, 0, 100, 0, 0, 0],
        ]
    )
    there = np.array(
        [[0, 0, 0, 0, 100, 100, 100, 0], [0, 0, 0, 100, 100, 100, 0, 0]]
    )  # 0 0 0 1 2 2 1 0 of two
    assert flips(here, there) == Flips(gained=2, lost=1)  # images 0 and 1; image 5, for half is not most
    assert flips(there, here) == Flips(gained=1, lost=2)


def test_settings_that_agree_flip_nothing() -> None:
    same = np.array([[100, 0, 100]])
    assert flips(same, same) == Flips(gained=0, lost=0)
