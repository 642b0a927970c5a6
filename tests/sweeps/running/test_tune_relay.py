"""What listeners are told of the trials that Tune, which is made up, runs, and what folders say then."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.running import tune as module
from sweeps.search.search import Planned
from tests.sweeps.running.listening import Ear, Told, run

HISTORY = ({"val/add_area": 1.0}, {"val/add_area": 2.0})


class World:
    """A relay with its trials, as Tune has them."""

    def __init__(self, relay: Any, folders: dict[str, Path]) -> None:
        self.relay, self.folders = relay, folders
        self.last: dict[str, dict[str, Any]] = {}

    def trial(self, name: str, error: Any = None) -> Any:
        return SimpleNamespace(
            config={"trial": {"name": name, "folder": str(self.folders[name])}},
            last_result=self.last.get(name),
            get_pickled_error=lambda: error if isinstance(error, Exception) else None,
            get_error=lambda: error if isinstance(error, str) else None,
        )

    def start(self, name: str) -> None:
        self.relay.on_trial_start(0, [], self.trial(name))

    def report(self, name: str, result: dict[str, Any]) -> None:
        self.relay.on_trial_result(0, [], self.trial(name), result)
        self.last[name] = result

    def complete(self, name: str) -> None:
        self.relay.on_trial_complete(0, [], self.trial(name))

    def break_off(self, name: str, error: Any = None) -> None:
        self.relay.on_trial_error(0, [], self.trial(name, error))


@pytest.fixture
def heard() -> list[Any]:
    return []


@pytest.fixture
def world(
    given: dict[str, Any],
    trials: tuple[Planned, ...],
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
    heard: list[Any],
) -> World:
    """Its listeners and the search write down what they are told."""
    listeners = [Ear(heard, "first"), Ear(heard, "second")]
    run(Told(trials, heard), prepare, tmp_path, listeners)
    (relay,) = given["run_config"].callbacks
    return World(relay, {trial.name: prepare(trial) for trial in trials})


def own(heard: list[Any], who: str = "first") -> list[Any]:
    """What one of them was told."""
    return [event[1:] for event in heard if event[0] == who]


def finish(folder: Path, result: TrialResult) -> None:
    (folder / "result.json").write_text(result.to_json())


def test_listeners_are_told_in_their_order_and_then_the_search(
    world: World, trials: tuple[Planned, ...], heard: list[Any], result: TrialResult
) -> None:
    name = trials[1].name
    world.start(name)
    world.report(name, {"epoch": 0, "metrics": {}})
    world.report(name, {"seconds_per_epoch": 85.0})
    world.relay.on_trial_recover(0, [], world.trial(name))
    finish(world.folders[name], result)
    world.complete(name)
    assert (
        own(heard, "first")
        == own(heard, "second")
        == [
            ("started", name),
            ("reported", name, 0),
            ("paced", name, 85.0),
            ("retried", name),
            ("ended", name, "finished", None),
        ]
    )
    assert [event[0] for event in heard[-3:]] == ["first", "second", "search"]
    assert own(heard, "search") == [("ended", name, "finished", None)]


def test_reports_without_an_epoch_are_not_told(
    world: World, trials: tuple[Planned, ...], heard: list[Any]
) -> None:
    world.start(trials[0].name)
    before = list(heard)
    world.report(trials[0].name, {"failed": "diverged"})
    world.report(trials[0].name, {"done": True})
    assert heard == before


def test_each_end_is_that_of_its_trial(
    world: World, trials: tuple[Planned, ...], heard: list[Any], result: TrialResult
) -> None:
    a, b, c, d = (trial.name for trial in trials)
    for name in (a, b, c, d):
        world.start(name)
        Record(status="running", history=HISTORY).write(world.folders[name])
    finish(world.folders[a], result)
    finish(world.folders[b], result)
    # They end in another order than they began.
    world.report(d, {"failed": "loss is not finite"})
    world.complete(d)
    world.complete(a)
    world.complete(c)
    world.break_off(b, RuntimeError("Traceback\n  x\nMemoryError: too large"))
    assert own(heard)[4:] == [
        ("ended", d, "failed", "loss is not finite"),
        ("ended", a, "finished", None),
        ("ended", c, "waiting", "interrupted after epoch 1"),
        ("ended", b, "finished", None),  # what broke afterwards took nothing away
    ]
    assert own(heard, "search") == own(heard)[4:]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("Traceback\n  x\nMemoryError: too large"), "MemoryError: too large"),
        ("ray::run_trial()\n  x\nOSError: gone", "OSError: gone"),
        (None, "its process ended"),
    ],
)
def test_where_a_process_died_its_failure_is_noted_in_the_folder(
    world: World, trials: tuple[Planned, ...], heard: list[Any], error: Any, reason: str
) -> None:
    """Whether it had begun to write its record or not."""
    for number, trial in enumerate(trials[:2]):
        world.start(trial.name)
        if number:
            Record(status="running", host="node7", history=HISTORY).write(world.folders[trial.name])
        world.break_off(trial.name, error)
        record = Record.read(world.folders[trial.name])
        assert record is not None
        assert (record.status, record.reason) == ("failed", reason)
        assert (record.host, len(record.history)) == (("node7", 2) if number else (None, 0))
        assert own(heard)[-1] == ("ended", trial.name, "failed", reason)


def test_what_a_process_said_of_its_own_failure_stands(
    world: World, trials: tuple[Planned, ...], heard: list[Any]
) -> None:
    name = trials[0].name
    world.start(name)
    said = Record(status="failed", reason="RuntimeError: broken", traceback="in many\nlines", history=HISTORY)
    said.write(world.folders[name])
    world.break_off(name, RuntimeError("Traceback\n  RuntimeError: broken\nin many lines"))
    assert Record.read(world.folders[name]) == said
    assert own(heard)[-1] == ("ended", name, "failed", "RuntimeError: broken")


def test_a_failure_of_an_earlier_process_does_not_hide_why_this_one_died(
    world: World, trials: tuple[Planned, ...], heard: list[Any]
) -> None:
    """It was tried again, as failed trials are, and died before it could say anything."""
    name = trials[0].name
    earlier = Record(status="failed", reason="no space", traceback="of then", history=HISTORY)
    earlier.write(world.folders[name])
    world.start(name)
    world.break_off(name)
    record = Record.read(world.folders[name])
    assert record is not None
    now = dataclasses.replace(earlier, reason="its process ended", traceback=None, ended=record.ended)
    assert record == now
    assert own(heard)[-1] == ("ended", name, "failed", "its process ended")


@pytest.mark.parametrize("status", ["waiting", "running", "failed"])
def test_a_stopped_trial_is_stopped_however_its_process_ended(
    world: World, trials: tuple[Planned, ...], heard: list[Any], status: Any
) -> None:
    name = trials[0].name
    world.start(name)
    before = Record(status=status, reason="another", history=HISTORY)
    before.write(world.folders[name])
    (world.folders[name] / "stop").write_text("too slow")
    world.break_off(name)
    assert own(heard)[-1] == ("ended", name, "stopped", "too slow")
    assert Record.read(world.folders[name]) == before


def test_a_trial_that_another_process_holds_is_left_to_it(
    world: World, trials: tuple[Planned, ...], heard: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = trials[0].name
    world.start(name)
    before = Record(status="running", history=HISTORY)
    before.write(world.folders[name])
    monkeypatch.setattr("sweeps.trial.is_claimed", lambda folder: True)
    world.report(name, {"failed": "another process trains here"})
    world.complete(name)
    assert Record.read(world.folders[name]) == before
    assert own(heard)[-1] == ("ended", name, "running", None)


def test_a_failure_that_cannot_be_noted_does_not_end_the_others(
    world: World,
    trials: tuple[Planned, ...],
    heard: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(folder: Path, reason: str) -> None:
        raise UserError("status.json cannot be written")

    monkeypatch.setattr(module, "note_failure", full)
    name = trials[0].name
    world.start(name)
    world.break_off(name)
    assert "status.json cannot be written" in caplog.text
    assert own(heard)[-1] == ("ended", name, "waiting", None)
