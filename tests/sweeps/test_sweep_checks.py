"""What a call of a sweep says before anything starts."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import Recipe
from sweeps.search.searching import Searching
from sweeps.search.stopping import Rule
from sweeps.space import Axis, Cell
from sweeps.sweep import _idle, run
from tests.sweeps.cells import cells_of, space
from tests.sweeps.search.domains import domain_of

FOUR = (1e-4, 3e-4, 1e-3, 3e-3)
NOTHING = "stops nothing: with 1 epoch it has nothing to judge before the last"


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_within_which_nothing_can_lie_is_refused(margin: float, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--margin: {margin} is not a finite number above 0"):
        run([], "data/none", tmp_path / "mine", margin=margin)
    assert not (tmp_path / "mine").exists()


def grid(tiny: Recipe, rates: Sequence[float], epochs: int, **more: Any) -> list[Cell]:
    axes = Axis.of("optim.lr", rates), Axis.of("optim.epochs", [epochs])
    return cells_of(tiny, *axes, backbones=["test_resnet"], **more)


def test_a_rule_that_can_stop_nothing_says_so(tiny: Recipe) -> None:
    rules: list[Rule] = ["asha", "median"]
    for rule in rules:
        assert list(_idle(grid(tiny, FOUR, 1), rule)) == [f"--stop {rule} {NOTHING}"]
        assert list(_idle(grid(tiny, FOUR, 2), rule)) == []
    (said,) = _idle(grid(tiny, FOUR[:3], 2, seeds=[0, 1]), "median")  # whose seeds are no other settings
    assert said.endswith("compares a setting with at least 3 others, and there are 3 in all")
    assert list(_idle(grid(tiny, FOUR, 1), "none")) == list(_idle(grid(tiny, FOUR, 1), None)) == []


@pytest.mark.parametrize(
    ("texts", "how", "idle"),
    [
        (["optim.lr=1e-4:1e-2"], {"cells": 4}, False),
        (["optim.lr=1e-4:1e-2"], {"cells": 3}, True),
        (["data.points=16,32"], {}, False),  # four cells
        (["data.points=16,32"], {"per": "model.backbone"}, True),  # two of each
    ],
)
def test_the_cells_of_a_search_are_compared_within_it(
    tiny: Recipe, texts: list[str], how: dict[str, Any], idle: bool
) -> None:
    searching = Searching(domain=domain_of(space(tiny), *texts), **how)
    assert bool(list(_idle(searching, "median"))) == idle
