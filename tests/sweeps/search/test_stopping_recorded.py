"""Early stopping on a grid that was trained whole: how often the winner survives, and what is saved.

The curves are those of 16 settings of `quick` on the stand-in cat (seed 0), recorded by

    python sweeps/backbones.py --recipe quick --backbones resnet10t hrnet_w18_small \
        --loss-weights 0.02 0.2 --vary optim.lr 3e-4 1e-3 3e-3 1e-2 --keep none --name grid16
    python -m tests.sweeps.recorded.curves runs/grid16 tests/sweeps/recorded/grid16.json
"""

import json
import random
import statistics
from pathlib import Path

import pytest

from sweeps.search.stopping import Rule
from tests.sweeps.search.replay import replay

FILE = Path(__file__).parents[1] / "recorded" / "grid16.json"
ORDERS = 1000
NEAR = 3.0  # points


@pytest.fixture(scope="module")
def curves() -> dict[str, list[float]]:
    return dict(json.loads(FILE.read_text()))


def test_it_is_the_whole_grid(curves: dict[str, list[float]]) -> None:
    assert len(curves) == 16
    assert len({len(curve) for curve in curves.values()}) == 1


def test_without_a_rule_all_is_trained(curves: dict[str, list[float]]) -> None:
    whole = replay("none", curves, list(curves))
    assert whole.best == max(map(max, curves.values()))
    assert whole.epochs == sum(len(curve) - 1 for curve in curves.values())


@pytest.mark.parametrize("at_once", [1, 2, 4])
@pytest.mark.parametrize("rule", ["asha", "median"])
def test_the_winner_survives_and_half_of_the_epochs_are_saved(
    curves: dict[str, list[float]], rule: Rule, at_once: int
) -> None:
    rng, names = random.Random(0), list(curves)
    found = [replay(rule, curves, rng.sample(names, len(names)), at_once) for _ in range(ORDERS)]
    best = max(map(max, curves.values()))
    whole = replay("none", curves, names).epochs
    assert statistics.fmean(each.best >= best - NEAR for each in found) >= 0.95
    assert statistics.fmean(each.epochs for each in found) <= 0.5 * whole
