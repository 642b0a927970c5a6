"""A race over trials whose scores are made up: what it asks for, how it ends, gone on with at any moment."""

import random
from collections import Counter
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.evaluation.metrics import Array
from epropnp.training.recipes import Recipe
from sweeps.search.race import Race
from sweeps.search.search import Planned
from tests.drills.verdict_rates import simulated
from tests.sweeps.cells import trials_of
from tests.sweeps.search.races import race

SEEDS = 5
IMAGES = 500
NAMES = [str(i) for i in range(IMAGES)]


class Track:
    """Settings that differ in their learning rate, with the scores of all their trials."""

    def __init__(self, tiny: Recipe, settings: list[Array]) -> None:
        self.settings = settings
        weights = [0.01 * (1 + k) for k in range(len(settings))]
        self.trials = trials_of(tiny, backbones=["test_resnet"], loss_weights=weights, seeds=range(SEEDS))
        self.place = {t.name: divmod(i, SEEDS) for i, t in enumerate(self.trials)}
        self.fate: dict[str, Any] = {}

    def race(self, margin: float = 5.0, earlier: tuple[Array, ...] = ()) -> Race:
        return Race(self.trials, self.images, score="add_area", margin=margin, earlier=earlier)

    def images(self, trial: Any) -> tuple[list[str], Array, Array]:
        setting, seed = self.place[trial.name]
        return NAMES, np.ones(IMAGES, int), self.settings[setting][seed]

    def ended(self, trial: Planned) -> Any:
        """As its folder tells."""
        how = {"status": "finished", "reason": None, "record": None}
        return SimpleNamespace(name=trial.name, **how | self.fate.get(trial.name, {}))

    def run(self, search: Race, most: int = 1000) -> list[str]:
        """Two at a time, the second of which ends first."""
        done: list[str] = []
        while not search.done and len(done) < most:
            running = [trial for _ in range(2) if (trial := search.ask()) is not None]
            for trial in reversed(running):
                search.tell(self.ended(trial))
                done.append(trial.name)
        return done


@pytest.fixture
def close(tiny: Recipe) -> Track:
    """Four settings, two of which are close."""
    return Track(tiny, simulated(np.random.default_rng(2), [60.0, 57.0, 45.0, 30.0], SEEDS, IMAGES, 1.4))


def seeds_of(track: Track, names: list[str]) -> list[int]:
    counts = Counter(track.place[name][0] for name in names)
    return [counts[k] for k in range(len(track.settings))]


def test_it_is_the_race_of_its_rule(close: Track) -> None:
    search = close.race()
    names = close.run(search)
    expected = race(close.settings, 5.0)
    assert len(names) == len(set(names)) == expected.trials
    assert {trial.name for trial in search.planned} == set(names)
    verdicts = [row[-1] for row in search.tables()[0].rows]
    assert verdicts.count("dropped") == len(expected.dropped)
    assert search.remarks[-1].startswith("race: ")
    assert search.total == len(names)
    assert {t.label for t in search.planned} >= {f"loss weight {w} seed 0" for w in (0.01, 0.02, 0.03, 0.04)}
    assert search.tables()[0].title == f"Race: {search.remarks[-1].removeprefix('race: ')}"


def test_gone_on_with_at_any_moment_it_asks_for_the_same(close: Track) -> None:
    whole = close.run(close.race())
    known: list[str] = []
    rng = random.Random(1)
    by_name = {trial.name: trial for trial in close.trials}
    while True:
        search = close.race()
        for name in rng.sample(known, len(known)):  # folders are told in any order
            search.tell(close.ended(by_name[name]))
        if search.done:
            break
        known += close.run(search, rng.randrange(1, 4))
    assert sorted(known) == sorted(whole)
    assert [row[-1] for row in search.tables()[0].rows].count("dropped") >= 2


def test_a_clear_winner_takes_few_trials_and_fewer_where_the_spread_is_known(tiny: Recipe) -> None:
    track = Track(tiny, simulated(np.random.default_rng(4), [70.0, 50.0, 40.0, 30.0], SEEDS, IMAGES, 1.4))
    search = track.race()
    names = track.run(search)
    assert seeds_of(track, names) == [2, 2, 1, 1]
    assert [row[-1] for row in search.tables()[0].rows] == ["best", "dropped", "dropped", "dropped"]
    assert search.remarks[-1].endswith("is the best (add_area on validation images), after 6 of 20 trials")
    earlier = tuple(50 + np.array([-1.4, 0.0, 1.4]) for _ in range(10))
    assert seeds_of(track, track.run(track.race(earlier=earlier))) == [1, 1, 1, 1]


def test_equals_end_it_together(tiny: Recipe) -> None:
    rng = np.random.default_rng(5)
    same = 100.0 * (rng.random((SEEDS, IMAGES)) < 0.6)
    track = Track(tiny, [same, same[::-1], np.clip(same - 60, 0, 100)])
    search = track.race(margin=8.0)
    track.run(search)
    verdicts = [row[-1] for row in search.tables()[0].rows]
    assert verdicts == ["best", "equal within 8", "dropped"]
    assert "equal within 8 points" in search.remarks[-1]


def test_what_cannot_be_decided_is_said(tiny: Recipe) -> None:
    settings = simulated(np.random.default_rng(6), [60.0, 59.5], SEEDS, IMAGES, 4.0)
    track = Track(tiny, settings)
    search = track.race(margin=0.5)
    assert seeds_of(track, track.run(search)) == [SEEDS, SEEDS]
    assert search.remarks[-1].startswith("race: not decided with 5 seeds; one of these is the best: ")
    assert {row[-1] for row in search.tables()[0].rows} == {"not decided"}


def test_settings_that_cannot_be_trained_or_were_stopped_are_out(close: Track) -> None:
    diverged, stopped = close.trials[0].name, close.trials[SEEDS].name
    failure = SimpleNamespace(failure="diverged")
    close.fate = {
        diverged: {"status": "failed", "record": failure, "reason": "loss not finite"},
        stopped: {"status": "stopped", "reason": "stopped by hand"},
    }
    search = close.race()
    names = close.run(search)
    assert seeds_of(close, names)[:2] == [1, 1]
    verdicts: list[Any] = [row[-1] for row in search.tables()[0].rows]
    assert verdicts[:2] == ["best", "dropped"]
    assert sorted(verdicts[2:]) == ["failed: loss not finite", "stopped: stopped by hand"]


def test_a_machine_s_failure_waits_for_the_next_call(close: Track) -> None:
    broken = close.trials[2 * SEEDS].name
    close.fate = {broken: {"status": "failed", "reason": "the disk is full", "record": None}}
    search = close.race()
    assert seeds_of(close, close.run(search)) == [1, 1, 1, 1]
    assert search.done
    assert search.remarks[-1] == f"race: waits for {broken}: see --resume"
    by_name = {trial.name: trial for trial in close.trials}
    again = close.race()
    for name in close.place:
        if name in {t.name for t in search.planned}:
            again.tell(close.ended(by_name[name]))
    asked = again.ask()
    assert asked is not None
    assert asked.name == broken


def test_what_is_no_part_of_it_is_not_looked_at(close: Track) -> None:
    search = close.race()
    search.tell(SimpleNamespace(name="another", status="finished"))  # type: ignore[arg-type]
    assert len(close.run(search)) == race(close.settings, 5.0).trials


def test_few_images_are_told_what_they_can_show(tiny: Recipe) -> None:
    settings = simulated(np.random.default_rng(7), [60.0, 40.0], SEEDS, IMAGES, 1.4)
    track = Track(tiny, settings)

    def few(trial: Any) -> tuple[list[str], Array, Array]:
        setting, seed = track.place[trial.name]
        return NAMES[:50], np.ones(50, int), settings[setting][seed][:50]

    track.images = few  # type: ignore[method-assign]
    search = track.race()
    track.run(search)
    assert search.remarks[0].startswith("race: 50 validation images and 5 seeds can show leads of about ")


def test_other_images_are_refused(close: Track) -> None:
    plain = close.images
    other = close.trials[SEEDS].name

    def turned(trial: Any) -> tuple[list[str], Array, Array]:
        return (NAMES[::-1] if trial.name == other else NAMES, *plain(trial)[1:])

    close.images = turned  # type: ignore[method-assign]
    with pytest.raises(UserError, match=f"{other} was validated on other images"):
        close.run(close.race())
