"""Both rules on a grid of 16 settings that was trained to its end once: what they find, and what they save.

`recorded/grid16.json` has the ADD(-S) area up to 10 cm after each epoch: stand-in cat, hrnet_w18_small
from scratch on 64 px in float32, 8 epochs of 1,000 images, seed 0; loss weights 0.05 and 0.5 x rates 5e-4,
1e-3, 2e-3 and 4e-3 x 64 and 256 points.
"""

import json
import random
from pathlib import Path

import pytest

from sweeps.search.stopping import Rule
from tests.sweeps.search.replay import replay

CURVES: dict[str, list[float]] = json.loads(
    (Path(__file__).parents[1] / "recorded" / "grid16.json").read_text()
)
ORDERS = 1000


def test_the_grid_is_whole() -> None:
    assert len(CURVES) == 16
    assert {len(curve) for curve in CURVES.values()} == {9}
    assert max(map(max, CURVES.values())) - min(map(max, CURVES.values())) > 20  # there is something to lose


def test_without_a_rule_all_is_trained() -> None:
    found = replay("none", CURVES, list(CURVES))
    assert (found.epochs, found.best) == (16 * 8, max(map(max, CURVES.values())))


@pytest.mark.parametrize("rule", ["asha", "median"])
def test_the_winner_is_near_the_best_at_half_the_epochs(rule: Rule) -> None:
    best, whole = max(map(max, CURVES.values())), 16 * 8
    drawn = random.Random(0)
    found = [replay(rule, CURVES, drawn.sample(sorted(CURVES), len(CURVES))) for _ in range(ORDERS)]
    near = sum(each.best >= best - 3 for each in found) / ORDERS
    assert near >= 0.95
    assert sum(each.epochs for each in found) / ORDERS <= whole / 2
