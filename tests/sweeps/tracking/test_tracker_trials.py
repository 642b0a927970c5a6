"""MLflow records of trials that run side by side: each run holds what its own trial said."""

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from epropnp.training.result import TrialResult
from sweeps.tracking.events import PARENT, ended
from sweeps.tracking.run_index import PARENT_TAG, SWEEP_TAG, TRIAL_TAG
from tests.sweeps import told, tracked

A, B, C = "resnet-seed0", "vit-seed1", "broken-seed2"


def _texts(folder: Path, **files: str) -> None:
    """Files of a trial by name, without their suffix."""
    suffixes = {"result": ".json", "predictions": ".parquet", "calibration": ".png", "other": ".txt"}
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}{suffixes[name]}").write_text(text)


def test_trials_at_once_keep_their_numbers_files_and_ends_apart(
    uri: str, tmp_path: Path, result: TrialResult
) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    params: dict[str, dict[str, Any]] = {
        A: {"seed": 0, "optim.lr": 0.5},
        B: {"seed": 1, "optim.lr": None},
        C: {"seed": 2},
    }
    listener = tracked.tracking(tracker, tmp_path, params)
    tracker.start(PARENT, {"flag.seeds": (0, 1)})
    for name in (A, B, C):
        listener.started(name)
    listener.reported(B, told.epoch(0, 50.0))
    listener.reported(A, told.epoch(0, 8.0))
    listener.reported(A, told.epoch(1, 4.0))
    listener.reported(B, told.epoch(1, 25.0))
    listener.reported(A, told.epoch(2, 2.0))
    _texts(tmp_path / A, result="first", predictions="of the first", other="is not asked for")
    _texts(tmp_path / B, result="second", calibration="how sure the second was")
    _texts(tmp_path / C, predictions="of an earlier end")
    of_a = dataclasses.replace(result, epochs=7, test={"add_area": 1.5, "2deg2cm": 2.5})
    listener.ended(told.ended(A, "finished", result=of_a))
    tracked.sent(tracker)
    runs = tracked.runs(uri, tmp_path)  # all is there when the trial ends, while others run
    assert {name: run.info.status for name, run in runs.items()} == {
        A: "FINISHED",
        B: "RUNNING",
        C: "RUNNING",
        "sweep": "RUNNING",
    }
    assert tracked.artifacts(uri, runs[A]) == {"result.json": "first", "predictions.parquet": "of the first"}
    assert tracked.history(uri, runs[A], "test/add_area") == [(0, 1.5)]
    listener.ended(told.ended(C, "failed", "diverged"))
    of_b = dataclasses.replace(result, epochs=9, test={"add_area": 3.5})
    listener.ended(told.ended(B, "finished", result=of_b))
    _texts(tmp_path / "sweep", other="whole")
    tracker.finish(PARENT, "KILLED", files=[tmp_path / "sweep" / "other.txt", tmp_path / "not there"])
    tracked.sent(tracker)

    runs = tracked.runs(uri, tmp_path)
    assert set(runs) == {A, B, C, "sweep"}
    assert tracked.history(uri, runs[A], "train/loss") == [(0, 8.0), (1, 4.0), (2, 2.0)]
    assert tracked.history(uri, runs[A], "val/add_0.10d") == [(0, 0.125), (1, 0.25), (2, 0.5)]
    assert tracked.history(uri, runs[A], "time/epoch") == [(0, 0), (1, 1), (2, 2)]
    assert tracked.history(uri, runs[B], "train/loss") == [(0, 50.0), (1, 25.0)]
    assert tracked.history(uri, runs[A], "test/2deg2cm") == [(0, 2.5)]
    assert tracked.history(uri, runs[B], "test/add_area") == [(0, 3.5)]
    assert "test/2deg2cm" not in runs[B].data.metrics
    assert runs[C].data.metrics == runs["sweep"].data.metrics == {}
    assert runs[A].data.params == {"seed": "0", "optim.lr": "0.5"}
    assert runs[B].data.params == {"seed": "1", "optim.lr": "None"}
    assert runs["sweep"].data.params == {"flag.seeds": "(0, 1)"}
    assert {name: run.info.status for name, run in runs.items()} == {
        A: "FINISHED",
        B: "FINISHED",
        C: "FAILED",
        "sweep": "KILLED",
    }
    assert {name: tracked.artifacts(uri, run) for name, run in runs.items()} == {
        A: {"result.json": "first", "predictions.parquet": "of the first"},
        B: {"result.json": "second", "calibration.png": "how sure the second was"},
        C: {},
        "sweep": {"other.txt": "whole"},
    }


def test_runs_are_tagged_with_their_sweep_their_trial_and_their_parent(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(B, {})  # even before the sweep's own
    tracker.start(PARENT, {})
    tracker.start(A, {})
    tracked.sent(tracker)
    runs = tracked.runs(uri, tmp_path)
    for name in (A, B):
        tags = runs[name].data.tags
        assert (tags[SWEEP_TAG], tags[TRIAL_TAG]) == (tmp_path.name, name)
        assert tags[PARENT_TAG] == runs["sweep"].info.run_id
    assert PARENT_TAG not in runs["sweep"].data.tags
    assert {run.info.status for run in runs.values()} == {"RUNNING"}


def test_the_same_trial_of_another_sweep_has_a_run_of_its_own(uri: str, tmp_path: Path) -> None:
    folders = [tmp_path / f"{tmp_path.name}-{i}" for i in range(2)]
    for i, folder in enumerate(folders):
        folder.mkdir()
        tracker = tracked.tracker(uri, folder)
        tracker.start(A, {"seed": i})
        tracker.log_epoch(A, 0, {"train/loss": 1.0 + i})
        tracked.sent(tracker)
    for i, folder in enumerate(folders):
        run = tracked.runs(uri, folder)[A]
        assert run.data.params == {"seed": str(i)}
        assert tracked.history(uri, run, "train/loss") == [(0, 1.0 + i)]


def test_epochs_that_a_killed_driver_missed_are_sent_once_each_trial_its_own(
    uri: str, tmp_path: Path
) -> None:
    first = tracked.tracker(uri, tmp_path)
    for name, loss in ((A, 8.0), (B, 50.0)):
        first.start(name, {})
        first.log_epoch(name, 0, {"train/loss": loss})
    first.log_epoch(A, 1, {"train/loss": 4.0})
    tracked.sent(first)

    tracker = tracked.tracker(uri, tmp_path)
    again = tracked.tracking(tracker, tmp_path, {A: {}, B: {}})
    for name in (A, B):
        again.started(name)
    again.reported(A, told.epoch(3, 1.0, earlier=[8.0, 4.0, 2.0]))
    again.reported(B, told.epoch(2, 12.5, earlier=[50.0, 25.0]))
    again.reported(A, told.epoch(4, 0.5))
    tracked.sent(tracker)
    runs = tracked.runs(uri, tmp_path)
    losses = {name: tracked.history(uri, runs[name], "train/loss") for name in (A, B)}
    assert losses[A] == [(0, 8.0), (1, 4.0), (2, 2.0), (3, 1.0), (4, 0.5)]
    assert losses[B] == [(0, 50.0), (1, 25.0), (2, 12.5)]
    assert {name: runs[name].data.metrics["time/epoch"] for name in (A, B)} == {A: 4, B: 2}


def test_long_texts_are_cut_to_what_mlflow_takes(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(A, {"long": "x" * 7000, "short": "y"})
    tracker.finish(A, "FAILED", "z" * 6000)
    tracked.sent(tracker)
    run = tracked.runs(uri, tmp_path)[A]
    assert run.data.params == {"long": "x" * 6000, "short": "y"}
    assert run.data.tags["epropnp.reason"] == "z" * 5000


def test_what_was_spooled_of_two_trials_is_sent_in_the_order_of_events(
    uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    (tmp_path / "no").write_text("a file where the folder would be")
    away = tracked.tracker(f"sqlite:///{tmp_path}/no/mlflow.db", tmp_path, retry_seconds=600.0)
    away.start(PARENT, {})
    for epoch, (a, b) in enumerate([(8.0, 50.0), (4.0, 25.0)]):
        for name, loss in ((B, b), (A, a)):
            if not epoch:
                away.start(name, {"seed": name[-1]})
            away.log_epoch(name, epoch, {"train/loss": loss})
    _texts(tmp_path / A, result="first")
    files = [tmp_path / A / "result.json"]
    scores = {"test/add_area": 3.0}
    away.say(ended(A, "FINISHED", step=2, scores=scores, files=files, root=tmp_path))
    away.finish(B, "FAILED", "diverged")
    assert not away.close(0.5)
    events = [json.loads(line) for line in (tmp_path / "spool.jsonl").read_text().splitlines()]
    times = [event["time_ms"] for event in events]
    assert times == sorted(times)
    assert [(event["kind"], event["trial"]) for event in events] == [
        *(("start", PARENT), ("start", B), ("epoch", B), ("start", A), ("epoch", A), ("epoch", B)),
        *(("epoch", A), ("finish", A), ("finish", B)),
    ]
    assert not tracked.runs(uri, tmp_path)
    tracked.sent(tracked.tracker(uri, tmp_path))
    runs = tracked.runs(uri, tmp_path)
    assert tracked.history(uri, runs[A], "train/loss") == [(0, 8.0), (1, 4.0)]
    assert tracked.history(uri, runs[B], "train/loss") == [(0, 50.0), (1, 25.0)]
    assert {name: runs[name].data.params["seed"] for name in (A, B)} == {A: "0", B: "1"}
    assert (runs[A].info.status, runs[B].info.status) == ("FINISHED", "FAILED")
    assert runs[A].info.end_time == times[-2]
    assert runs[B].data.tags["epropnp.reason"] == "diverged"
    assert tracked.history(uri, runs[A], "test/add_area") == [(2, 3.0)]
    assert tracked.artifacts(uri, runs[A]) == {"result.json": "first"}
