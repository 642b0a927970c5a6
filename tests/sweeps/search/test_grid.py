"""The search that tries every cell: in which order, and which it passes over."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.training.recipes import Recipe
from sweeps.search.grid import FINAL, Grid
from sweeps.search.search import Planned, Search
from tests.sweeps.cells import trials_of


@pytest.fixture
def trials(tiny: Recipe) -> tuple[Planned, ...]:
    return trials_of(tiny, seeds=[0, 1])


@pytest.fixture
def told(trials: tuple[Planned, ...]) -> Callable[[int, str], Any]:
    """A trial as its folder would tell it."""
    return lambda number, status: SimpleNamespace(name=trials[number].name, status=status)


def asked(search: Search) -> list[Planned | None]:
    """All that is asked for until the search is done."""
    found = []
    while not search.done:
        found.append(search.ask())
    return found


def test_every_trial_is_asked_for_once_in_its_order(trials: tuple[Planned, ...]) -> None:
    search = Grid(trials)
    assert asked(search) == list(trials)
    assert search.done
    assert search.ask() is None


@pytest.mark.parametrize(
    ("status", "again"),
    [("finished", False), ("stopped", False), ("failed", True), ("waiting", True), ("running", True)],
)
def test_what_came_to_its_end_before_is_not_asked_for(
    trials: tuple[Planned, ...], told: Callable[[int, str], Any], status: str, again: bool
) -> None:
    search = Grid(trials)
    search.tell(told(2, status))
    assert asked(search) == [trial for i, trial in enumerate(trials) if i != 2 or again]
    assert (status in FINAL) != again


def test_a_trial_that_ends_is_not_asked_for_again_however_it_ended(
    trials: tuple[Planned, ...], told: Callable[[int, str], Any]
) -> None:
    search = Grid(trials)
    for number, status in enumerate(("failed", "waiting", "finished", "stopped")):
        assert search.ask() == trials[number]
        search.tell(told(number, status))
    assert search.done


def test_trials_of_an_earlier_plan_change_nothing(trials: tuple[Planned, ...]) -> None:
    search = Grid(trials)
    stranger: Any = SimpleNamespace(name="of an earlier plan", status="finished")
    search.tell(stranger)
    assert asked(search) == list(trials)
    assert Grid([]).done
