"""How long an epoch will take, measured before it is over, against a clock that the test sets."""

from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.running import pace
from sweeps.running.pace import Pace

STEPS = 470


class Day:
    """A trial that is told what happens, and a clock that goes on with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s, self.told = 500.0, list[float]()
        monkeypatch.setattr(pace.time, "monotonic", lambda: self.now_s)
        self.pace = Pace(self.told.append)
        nobody: Any = None
        self.pace.on_start(nobody)

    def epoch(self, number: int, seconds: float) -> None:
        self.now_s += seconds
        report: Any = SimpleNamespace(epoch=number)
        self.pace.on_epoch(report)

    def updates(self, count: int, seconds: float) -> None:
        for _ in range(count):
            self.now_s += seconds
            report: Any = SimpleNamespace(steps=STEPS)
            self.pace.on_step(report)


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Day:
    return Day(monkeypatch)


def test_an_epoch_is_its_updates_after_the_first_few_and_one_validation(day: Day) -> None:
    day.epoch(0, 12.0)
    day.updates(5, 9.0)  # compiles, tunes
    day.updates(14, 2.0)
    assert day.told == []
    day.updates(1, 2.0)
    assert day.told == [pytest.approx(STEPS * 2.0 + 12.0)]
    day.updates(100, 2.0)
    assert len(day.told) == 1


def test_where_a_trial_goes_on_there_was_no_validation(day: Day) -> None:
    day.updates(5, 9.0)
    day.updates(40, 1.0)
    assert day.told == [pytest.approx(STEPS * 1.0)]


def test_short_epochs_tell_their_time_themselves(day: Day) -> None:
    day.epoch(0, 1.0)
    day.updates(20, 1.0)
    day.epoch(1, 1.0)
    day.updates(100, 1.0)
    assert day.told == []
