"""How a trial's end reaches MLflow: status, reason, scores and files, each once and as it is now."""

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from epropnp.training.record import Status
from epropnp.training.result import TrialResult
from sweeps.tracking import events as module
from sweeps.tracking.listener import Tracking
from sweeps.tracking.mlflow_runs import REASON_TAG
from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import FILES
from tests.sweeps import told, tracked

A = "resnet-seed0"


class Clock:
    """A time that only the test moves, for events and files."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 1_800_000_000.0
        watch: Any = SimpleNamespace(time=lambda: self.now_s)
        patch.setattr(module, "time", watch)

    @property
    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def write(self, file: Path, text: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (self.now_s, self.now_s))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def tracker(uri: str, tmp_path: Path) -> Tracker:
    return tracked.tracker(uri, tmp_path)


@pytest.fixture
def listener(tracker: Tracker, tmp_path: Path) -> Tracking:
    return tracked.tracking(tracker, tmp_path, {A: {"seed": 0}})


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that MLflow is given, in their order."""
    names: list[str] = []
    store = MlflowClient.log_artifact

    def log_artifact(self: MlflowClient, run_id: str, file: str) -> None:
        names.append(Path(file).name)
        store(self, run_id, file)

    monkeypatch.setattr(MlflowClient, "log_artifact", log_artifact)
    return names


def run(uri: str, folder: Path, *trackers: Tracker) -> Any:
    """The trial's, when all that these were told is sent."""
    tracked.sent(*trackers)
    return tracked.runs(uri, folder)[A]


@pytest.mark.parametrize(
    ("status", "reason", "shown", "tag"),
    [
        ("finished", None, "FINISHED", None),
        ("failed", "loss is not finite", "FAILED", "loss is not finite"),
        ("stopped", "too slow", "KILLED", "too slow"),
        (
            "waiting",
            "interrupted after epoch 3, with its sweep",
            "KILLED",
            "interrupted after epoch 3, with its sweep",
        ),
        ("waiting", None, "KILLED", None),
        ("running", None, "RUNNING", None),  # another process has it: nothing ended
    ],
)
def test_an_end_has_a_status_and_a_reason_until_the_trial_goes_on(
    uri: str,
    tmp_path: Path,
    tracker: Tracker,
    listener: Tracking,
    clock: Clock,
    status: Status,
    reason: str | None,
    shown: str,
    tag: str | None,
) -> None:
    listener.started(A)
    clock.now_s += 60
    listener.ended(told.ended(A, status, reason))
    found = run(uri, tmp_path, tracker)
    assert (found.info.status, found.data.tags.get(REASON_TAG)) == (shown, tag)
    assert found.info.end_time == (None if status == "running" else clock.now_ms)
    listener.started(A)
    found = run(uri, tmp_path, tracker)
    assert (found.info.status, found.data.tags.get(REASON_TAG)) == ("RUNNING", None)
    assert not found.info.end_time  # a run that goes on has none
    clock.now_s += 60
    listener.ended(told.ended(A, "finished"))
    found = run(uri, tmp_path, tracker)
    assert (found.info.status, found.data.tags.get(REASON_TAG)) == ("FINISHED", None)
    assert found.info.end_time == clock.now_ms


def test_the_reason_is_under_a_name_that_people_look_for() -> None:
    assert REASON_TAG == "epropnp.reason"


def test_a_finished_trial_brings_its_scores_and_its_files(
    uri: str, tmp_path: Path, tracker: Tracker, listener: Tracking, clock: Clock, result: TrialResult
) -> None:
    for number, name in enumerate(FILES):
        clock.write(tmp_path / A / name, f"file {number}")
    clock.write(tmp_path / A / "checkpoint.pt", "too large")
    listener.started(A)
    validated = {"add_area": 31.5, "add_0.10d": 62.25, "5deg5cm": 71.0, "mssd_ar": 3.0}
    ended = dataclasses.replace(result, epochs=12, validation=validated)
    listener.ended(told.ended(A, "finished", result=ended))
    found = run(uri, tmp_path, tracker)
    for name, value in result.test.items():
        assert tracked.history(uri, found, f"test/{name}") == [(0, round(value, 4))]
    shown = {key: value for key, value in found.data.metrics.items() if key.startswith("validation/")}
    assert shown == {f"validation/{key}": validated[key] for key in ("add_area", "add_0.10d", "5deg5cm")}
    assert tracked.artifacts(uri, found) == {name: f"file {number}" for number, name in enumerate(FILES)}
    predicted = {"predictions.parquet", "predictions.errors.parquet", "validation.parquet"}
    notes = {"trial.json", "status.json", "trial.log", "result.json"}
    pictures = {"predictions.png", "calibration.png", "epochs.png"}
    assert set(FILES) == {*notes, *predicted, *pictures, "latency.json"}


def test_what_ended_before_is_not_stored_again(
    uri: str,
    tmp_path: Path,
    tracker: Tracker,
    listener: Tracking,
    clock: Clock,
    stored: list[str],
    result: TrialResult,
) -> None:
    """Such as when a sweep is gone on with, which tells of all that is finished."""
    clock.write(tmp_path / A / "result.json", "first")
    listener.started(A)
    trial = told.ended(A, "finished", result=result)
    listener.ended(trial)
    before = run(uri, tmp_path, tracker)
    clock.now_s += 3600
    listener.ended(trial)
    tracked.sent(tracker)
    other = tracked.tracker(uri, tmp_path)  # of another call
    tracked.tracking(other, tmp_path, {}).ended(trial)
    after = run(uri, tmp_path, other)
    assert stored == ["result.json"]
    assert tracked.history(uri, after, "test/add_area") == [(0, result.test["add_area"])]
    assert after.to_dictionary() == before.to_dictionary()


def test_files_that_have_changed_since_are_stored_again(
    uri: str,
    tmp_path: Path,
    tracker: Tracker,
    listener: Tracking,
    clock: Clock,
    stored: list[str],
    result: TrialResult,
) -> None:
    """Such as pictures that were drawn after the driver was killed."""
    clock.write(tmp_path / A / "result.json", "first")
    listener.started(A)
    trial = told.ended(A, "finished", result=result)
    listener.ended(trial)
    tracked.sent(tracker)
    clock.now_s += 10
    clock.write(tmp_path / A / "predictions.png", "drawn later")
    for _ in range(2):
        clock.now_s += 10
        listener.ended(trial)
    found = run(uri, tmp_path, tracker)
    assert stored == ["result.json", "predictions.png"]
    assert tracked.artifacts(uri, found) == {
        "result.json": "first",
        "predictions.png": "drawn later",
    }


def test_other_scores_of_a_test_that_was_repeated_are_logged(
    uri: str, tmp_path: Path, tracker: Tracker, listener: Tracking, clock: Clock, result: TrialResult
) -> None:
    listener.started(A)
    listener.ended(told.ended(A, "finished", result=result))
    clock.now_s += 10
    again = dataclasses.replace(result, test=result.test | {"add_area": 99.0})
    listener.ended(told.ended(A, "finished", result=again))
    found = run(uri, tmp_path, tracker)
    assert found.data.metrics["test/add_area"] == 99.0
    assert found.info.end_time == clock.now_ms


def test_a_trial_that_a_killed_driver_left_running_is_closed_with_all_that_it_has(
    uri: str,
    tmp_path: Path,
    tracker: Tracker,
    listener: Tracking,
    clock: Clock,
    stored: list[str],
    result: TrialResult,
) -> None:
    listener.started(A)
    listener.reported(A, told.epoch(0, 8.0))
    clock.write(tmp_path / A / "result.json", "first")
    clock.now_s += 3600
    tracked.sent(tracker)
    later = tracked.tracker(uri, tmp_path)
    tracked.tracking(later, tmp_path, {A: {}}).ended(told.ended(A, "finished", result=result))
    found = run(uri, tmp_path, later)
    assert (found.info.status, stored) == ("FINISHED", ["result.json"])
    assert found.data.metrics["test/add_area"] == result.test["add_area"]


def test_an_end_during_an_outage_is_sent_later_with_its_time_and_files(
    uri: str,
    tmp_path: Path,
    tracker: Tracker,
    listener: Tracking,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    result: TrialResult,
) -> None:
    clock.write(tmp_path / A / "result.json", "first")
    listener.started(A)
    tracked.sent(tracker)

    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("server gone")

    with monkeypatch.context() as outage:
        outage.setattr(MlflowClient, "log_artifact", broken)
        clock.now_s += 60
        ended_ms = clock.now_ms
        listener.ended(told.ended(A, "finished", result=result))
        assert not tracker.flush(0.3)
        assert run(uri, tmp_path).info.status == "RUNNING"  # what it shows is all there or not closed
    clock.now_s += 60
    found = run(uri, tmp_path, tracker)
    assert (found.info.status, found.info.end_time) == ("FINISHED", ended_ms)
    assert tracked.artifacts(uri, found) == {"result.json": "first"}
