"""MLflow records of trials that run side by side: each run holds what its own trial said."""

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sweeps.tracking.tracker import PARENT, PARENT_TAG, SWEEP_TAG, TRIAL_TAG, TrackingCallback
from tests.sweeps import tracked

A, B = "resnet-seed0", "vit-seed1"


def _trial(name: str, last_result: dict[str, Any] | None = None) -> Any:
    return SimpleNamespace(config={"trial": {"name": name}}, last_result=last_result or {})


def _epoch(epoch: int, loss: float, earlier: list[float] | None = None) -> dict[str, Any]:
    before = [{"train/loss": value, "val/add_0.10d": 1 / value} for value in earlier or []]
    return {"epoch": epoch, "metrics": {"train/loss": loss, "val/add_0.10d": 1 / loss}, "earlier": before}


def test_two_trials_at_once_keep_their_numbers_files_and_ends_apart(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    callback = TrackingCallback(tracker, {A: {"seed": 0, "optim.lr": 0.5}, B: {"seed": 1, "optim.lr": None}})
    tracker.start(PARENT, {"flag.seeds": (0, 1)})
    a, b = _trial(A), _trial(B)
    callback.on_trial_start(0, [], a)
    callback.on_trial_start(0, [], b)
    callback.on_trial_result(0, [], b, _epoch(0, 50.0))
    callback.on_trial_result(0, [], a, _epoch(0, 8.0))
    callback.on_trial_result(0, [], a, _epoch(1, 4.0))
    callback.on_trial_result(0, [], b, _epoch(1, 25.0))
    callback.on_trial_result(0, [], a, _epoch(2, 2.0))
    callback.on_trial_complete(0, [], a)
    callback.on_trial_error(0, [], b)
    tracker.log_scores(A, 7, {"test/add_area": 1.5, "test/2deg2cm": 2.5})
    for name, text in ((A, "first"), (B, "second"), (PARENT, "whole")):
        (tmp_path / name / "x").mkdir(parents=True)
        (tmp_path / name / "x" / "result.json").write_text(text)
        tracker.log_files(name, [tmp_path / name / "x" / "result.json", tmp_path / "not there"])
    tracker.finish(PARENT, "KILLED")

    runs = tracked.runs(uri, tmp_path)
    assert set(runs) == {A, B, "sweep"}
    assert tracked.history(uri, runs[A], "train/loss") == [(0, 8.0), (1, 4.0), (2, 2.0)]
    assert tracked.history(uri, runs[A], "val/add_0.10d") == [(0, 0.125), (1, 0.25), (2, 0.5)]
    assert tracked.history(uri, runs[A], "epoch") == [(0, 0), (1, 1), (2, 2)]
    assert tracked.history(uri, runs[B], "train/loss") == [(0, 50.0), (1, 25.0)]
    assert tracked.history(uri, runs[A], "test/add_area") == [(7, 1.5)]
    assert tracked.history(uri, runs[A], "test/2deg2cm") == [(7, 2.5)]
    assert not [key for key in runs[B].data.metrics if key.startswith("test/")]
    assert runs["sweep"].data.metrics == {}
    assert runs[A].data.params == {"seed": "0", "optim.lr": "0.5"}
    assert runs[B].data.params == {"seed": "1", "optim.lr": "None"}
    assert runs["sweep"].data.params == {"flag.seeds": "(0, 1)"}
    assert {name: run.info.status for name, run in runs.items()} == {
        A: "FINISHED",
        B: "FAILED",
        "sweep": "KILLED",
    }
    texts = {name: tracked.artifacts(uri, run) for name, run in runs.items()}
    assert texts == {
        name: {"result.json": t} for name, t in ((A, "first"), (B, "second"), ("sweep", "whole"))
    }


def test_runs_are_tagged_with_their_sweep_their_trial_and_their_parent(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(B, {})  # even before the sweep's own
    tracker.start(PARENT, {})
    tracker.start(A, {})
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

    again = TrackingCallback(tracked.tracker(uri, tmp_path), {A: {}, B: {}})
    for name in (A, B):
        again.on_trial_start(0, [], _trial(name))
    again.on_trial_result(0, [], _trial(A), _epoch(3, 1.0, earlier=[8.0, 4.0, 2.0]))
    again.on_trial_result(0, [], _trial(B), _epoch(2, 12.5, earlier=[50.0, 25.0]))
    again.on_trial_result(0, [], _trial(A), _epoch(4, 0.5))
    runs = tracked.runs(uri, tmp_path)
    losses = {name: tracked.history(uri, runs[name], "train/loss") for name in (A, B)}
    assert losses[A] == [(0, 8.0), (1, 4.0), (2, 2.0), (3, 1.0), (4, 0.5)]
    assert losses[B] == [(0, 50.0), (1, 25.0), (2, 12.5)]
    assert again.get_state() == {"logged": {A: 4, B: 2}}


def test_a_trial_that_gave_up_stays_failed_until_it_is_started_again(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    callback = TrackingCallback(tracker, {A: {}, B: {}})
    failed = {"failed": "diverged"}
    for name in (A, B):
        callback.on_trial_start(0, [], _trial(name))
    callback.on_trial_result(0, [], _trial(A), failed)
    callback.on_trial_complete(0, [], _trial(A, failed))
    callback.on_trial_complete(0, [], _trial(B, _epoch(2, 1.0)))
    runs = tracked.runs(uri, tmp_path)
    assert (runs[A].info.status, runs[B].info.status) == ("FAILED", "FINISHED")
    assert runs[A].data.tags["epropnp.failure"] == "diverged"
    assert "epropnp.failure" not in runs[B].data.tags
    callback.on_trial_start(0, [], _trial(A))
    assert tracked.runs(uri, tmp_path)[A].info.status == "RUNNING"
    callback.on_trial_complete(0, [], _trial(A))
    assert tracked.runs(uri, tmp_path)[A].info.status == "FINISHED"


def test_reports_without_an_epoch_are_not_logged(uri: str, tmp_path: Path) -> None:
    callback = TrackingCallback(tracked.tracker(uri, tmp_path), {A: {}})
    callback.on_trial_start(0, [], _trial(A))
    callback.on_trial_result(0, [], _trial(A), {"done": True})
    run = tracked.runs(uri, tmp_path)[A]
    assert (run.data.metrics, run.info.status) == ({}, "RUNNING")


def test_long_texts_are_cut_to_what_mlflow_takes(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(A, {"long": "x" * 7000, "short": "y"})
    tracker.finish(A, "FAILED", "z" * 6000)
    run = tracked.runs(uri, tmp_path)[A]
    assert run.data.params == {"long": "x" * 6000, "short": "y"}
    assert run.data.tags["epropnp.failure"] == "z" * 5000
    assert tracker.flush()


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
    away.log_scores(A, 2, {"test/add_area": 3.0})
    away.finish(A, "FINISHED")
    away.finish(B, "FAILED", "diverged")
    events = [json.loads(line) for line in (tmp_path / "spool.jsonl").read_text().splitlines()]
    times = [event["time_ms"] for event in events]
    assert times == sorted(times)
    assert [(event["kind"], event["trial"]) for event in events] == [
        *(("start", PARENT), ("start", B), ("epoch", B), ("start", A), ("epoch", A), ("epoch", B)),
        *(("epoch", A), ("scores", A), ("finish", A), ("finish", B)),
    ]
    assert not tracked.runs(uri, tmp_path)
    assert tracked.tracker(uri, tmp_path).flush()
    runs = tracked.runs(uri, tmp_path)
    assert tracked.history(uri, runs[A], "train/loss") == [(0, 8.0), (1, 4.0)]
    assert tracked.history(uri, runs[B], "train/loss") == [(0, 50.0), (1, 25.0)]
    assert {name: runs[name].data.params["seed"] for name in (A, B)} == {A: "0", B: "1"}
    assert (runs[A].info.status, runs[B].info.status) == ("FINISHED", "FAILED")
    assert runs[A].info.end_time == times[-2]
    assert runs[B].data.tags["epropnp.failure"] == "diverged"
