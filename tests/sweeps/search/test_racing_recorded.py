"""Races between trials that were really trained: the best is rarely dropped, and the answer is right.

`recorded/pool48.npz` has what each of 500 validation images counts: stand-in cat, hrnet_w18_small from
scratch on 64 px in float32, 8 epochs of 1,000 images, seeds 0 to 5; loss weights 0.05 and 0.5 x rates 1e-3
and 4e-3 x 64 and 256 points. `python -m tests.drills.race_recorded` prints more of it, for docs/comparing.md.
"""

import numpy as np
import pytest

from tests.sweeps.search.pool import drawn, recorded
from tests.sweeps.search.races import rates

MARGIN = 5.0


def test_the_pool_is_whole() -> None:
    pool = recorded("add_auc_10cm")
    assert pool.shape == (8, 6, 500)
    assert pool.min() >= 0
    assert pool.max() <= 100
    means = pool.mean(axis=(1, 2))
    assert means.max() - means.min() > 10
    assert all(each.std(ddof=1) > 0.1 for each in pool.mean(axis=2))  # seeds are not copies


@pytest.mark.parametrize(
    ("sizes", "races", "known"),
    [((2, 9), 200, False), ((2, 9), 200, True), ((9, 17), 30, False)],
    ids=["unknown", "known", "copies"],
)
def test_at_most_one_race_in_twenty_drops_the_best(sizes: tuple[int, int], races: int, known: bool) -> None:
    rng, pool = np.random.default_rng(races + known), recorded("add_auc_10cm")
    found = [drawn(rng, pool, int(rng.integers(*sizes)), MARGIN, known=known) for _ in range(races)]
    rate = rates([(each.raced, each.truth) for each in found], MARGIN)
    assert rate.wrong <= 0.05
    assert rate.right >= 0.95
    assert rate.cost < 0.95
