"""MLflow records on a real SQLite database: nesting, history, artifacts, resume, outage."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from epropnp.training.result import TrialResult
from sweeps.tracking.events import PARENT, ended
from sweeps.tracking.mlflow_runs import REASON_TAG
from sweeps.tracking.run_index import PARENT_TAG
from tests.sweeps import told, tracked

TRIAL = "resnet10t-deconv-mc0.02-seed0"


def test_children_are_nested_and_hold_params_history_and_artifacts(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(PARENT, {"recipe": "quick"})
    tracker.start(TRIAL, {f"group.key{i}": i for i in range(250)})
    for epoch in range(3):
        tracker.log_epoch(TRIAL, epoch, {"train/loss": 3.0 - epoch, "val/add_0.10d": 10.0 * epoch})
    table = tmp_path / "table.md"
    table.write_text("| backbone |\n")
    scores = {"test/add_0.10d": 21.0}
    tracker.say(ended(TRIAL, "FINISHED", step=2, scores=scores, root=tmp_path))
    tracker.finish(PARENT, "FINISHED", files=[table])
    tracked.sent(tracker)

    runs = tracked.runs(uri, tmp_path)
    assert set(runs) == {"sweep", TRIAL}
    child, parent = runs[TRIAL], runs["sweep"]
    assert child.data.tags[PARENT_TAG] == parent.info.run_id
    assert len(child.data.params) == 250
    assert tracked.history(uri, child, "train/loss") == [(0, 3.0), (1, 2.0), (2, 1.0)]
    assert child.data.metrics["test/add_0.10d"] == 21.0
    assert {child.info.status, parent.info.status} == {"FINISHED"}
    path = MlflowClient(uri).download_artifacts(parent.info.run_id, "table.md", str(tmp_path))
    assert Path(path).read_text() == "| backbone |\n"


def test_a_resumed_sweep_finds_its_runs_and_repeats_no_epoch(uri: str, tmp_path: Path) -> None:
    first = tracked.tracker(uri, tmp_path)
    first.start(PARENT, {})
    first.start(TRIAL, {"seed": 0})
    first.log_epoch(TRIAL, 0, {"train/loss": 2.0})
    first.log_epoch(TRIAL, 1, {"train/loss": 1.0})
    tracked.sent(first)
    before = {name: run.info.run_id for name, run in tracked.runs(uri, tmp_path).items()}

    again = tracked.tracker(uri, tmp_path)
    again.start(PARENT, {})
    again.start(TRIAL, {"seed": 0, "later": "param"})
    again.log_epoch(TRIAL, 1, {"train/loss": 1.0})
    again.log_epoch(TRIAL, 2, {"train/loss": 0.5})
    tracked.sent(again)
    runs = tracked.runs(uri, tmp_path)
    assert {name: run.info.run_id for name, run in runs.items()} == before
    assert tracked.history(uri, runs[TRIAL], "train/loss") == [(0, 2.0), (1, 1.0), (2, 0.5)]
    assert runs[TRIAL].data.params == {"seed": "0", "later": "param"}


def test_an_outage_is_spooled_and_sent_later_in_order(
    uri: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = tmp_path / "spool.jsonl"
    nowhere = f"sqlite:///{tmp_path}/no/such/folder/mlflow.db"
    away = tracked.tracker(nowhere, tmp_path, retry_seconds=60.0)
    (tmp_path / "no").write_text("a file where the folder would be")
    with caplog.at_level(logging.WARNING):
        away.start(PARENT, {})
        away.start(TRIAL, {"seed": 0})
        for epoch in range(3):
            away.log_epoch(TRIAL, epoch, {"train/loss": 1.0 / (epoch + 1)})
        assert not away.close(0.5)
    assert len(caplog.records) == 1  # one warning, not one per epoch
    kinds = [json.loads(line)["kind"] for line in spool.read_text().splitlines()]
    assert kinds == ["start", "start", "epoch", "epoch", "epoch"]

    back = tracked.tracker(uri, tmp_path)
    back.finish(TRIAL, "FINISHED")  # anything new sends the old first
    tracked.sent(back)
    assert not spool.exists()
    run = tracked.runs(uri, tmp_path)[TRIAL]
    assert tracked.history(uri, run, "train/loss") == [(0, 1.0), (1, 0.5), (2, 1.0 / 3)]
    assert run.info.status == "FINISHED"


def test_an_outage_in_the_middle_loses_and_doubles_nothing(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(TRIAL, {})
    tracker.log_epoch(TRIAL, 0, {"train/loss": 3.0})
    tracked.sent(tracker)

    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("server gone")

    with monkeypatch.context() as outage:
        outage.setattr(MlflowClient, "log_batch", broken)
        tracker.log_epoch(TRIAL, 1, {"train/loss": 2.0})
        assert not tracker.flush(0.3)
    tracker.log_epoch(TRIAL, 2, {"train/loss": 1.0})
    tracked.sent(tracker)
    history = tracked.history(uri, tracked.runs(uri, tmp_path)[TRIAL], "train/loss")
    assert history == [(0, 3.0), (1, 2.0), (2, 1.0)]


def test_a_record_that_mlflow_refuses_does_not_block_the_rest(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.log_epoch(TRIAL, 0, {"not a name!*": 1.0})
    tracker.log_epoch(TRIAL, 1, {"train/loss": 1.0})
    tracked.sent(tracker)
    assert tracked.history(uri, tracked.runs(uri, tmp_path)[TRIAL], "train/loss") == [(1, 1.0)]


def test_the_listener_follows_a_trial_to_its_end(uri: str, tmp_path: Path, result: TrialResult) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    listener = tracked.tracking(tracker, tmp_path, {TRIAL: {"seed": 0}, "bad": {"seed": 1}})
    listener.started(TRIAL)
    listener.reported(TRIAL, told.epoch(2, 1.0, earlier=[4.0, 2.0]))
    listener.ended(told.ended(TRIAL, "finished", result=result))
    listener.started("bad")
    listener.ended(told.ended("bad", "failed", "loss is not finite"))
    tracked.sent(tracker)
    runs = tracked.runs(uri, tmp_path)
    assert runs[TRIAL].info.status == "FINISHED"
    assert tracked.history(uri, runs[TRIAL], "train/loss") == [(0, 4.0), (1, 2.0), (2, 1.0)]
    assert runs[TRIAL].data.params == {"seed": "0"}
    assert runs["bad"].info.status == "FAILED"
    assert runs["bad"].data.tags[REASON_TAG] == "loss is not finite"
    assert runs["bad"].data.params == {"seed": "1"}
    assert runs[TRIAL].data.metrics["time/epoch"] == 2


def test_a_trial_that_breaks_and_is_tried_again_keeps_its_run_open(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    listener = tracked.tracking(tracker, tmp_path, {TRIAL: {}})
    listener.started(TRIAL)
    listener.reported(TRIAL, told.epoch(0, 4.0))
    listener.retried(TRIAL)
    tracked.sent(tracker)
    assert tracked.runs(uri, tmp_path)[TRIAL].info.status == "RUNNING"
    listener.started(TRIAL)
    listener.reported(TRIAL, told.epoch(1, 2.0, earlier=[4.0]))
    tracked.sent(tracker)
    run = tracked.runs(uri, tmp_path)[TRIAL]
    assert tracked.history(uri, run, "train/loss") == [(0, 4.0), (1, 2.0)]
    assert run.info.status == "RUNNING"


def test_a_spool_that_the_version_before_left_is_sent(uri: str, tmp_path: Path) -> None:
    """It told of scores and files at the end of the sweep, by events of their own."""
    table = tmp_path / "table.md"
    table.write_text("of before")
    events: list[dict[str, Any]] = [
        {"kind": "start", "trial": PARENT, "params": {"dataset_id": "ab"}},
        {"kind": "start", "trial": TRIAL, "params": {"seed": "0"}},
        {"kind": "epoch", "trial": TRIAL, "epoch": 0, "metrics": {"train/loss": 2.0}},
        {"kind": "finish", "trial": TRIAL, "status": "FINISHED", "reason": ""},
        {"kind": "start", "trial": "bad", "params": {}},
        {"kind": "finish", "trial": "bad", "status": "FAILED", "reason": "diverged"},
        {"kind": "scores", "trial": TRIAL, "step": 7, "metrics": {"test/add_area": 1.5}},
        {"kind": "files", "trial": PARENT, "files": [str(table), str(tmp_path / "not there")]},
        {"kind": "finish", "trial": PARENT, "status": "FAILED", "reason": ""},
    ]
    times = [1_700_000_000_000 + 1000 * number for number in range(len(events))]
    spool = tmp_path / "spool.jsonl"
    lines = [json.dumps(event | {"time_ms": time}) + "\n" for event, time in zip(events, times, strict=True)]
    spool.write_text("".join(lines))
    tracked.sent(tracked.tracker(uri, tmp_path))
    assert not spool.exists()
    runs = tracked.runs(uri, tmp_path)
    statuses = {name: run.info.status for name, run in runs.items()}
    assert statuses == {TRIAL: "FINISHED", "bad": "FAILED", "sweep": "FAILED"}
    assert (runs[TRIAL].info.end_time, runs["bad"].info.end_time) == (times[3], times[5])
    assert tracked.history(uri, runs[TRIAL], "train/loss") == [(0, 2.0)]
    assert tracked.history(uri, runs[TRIAL], "test/add_area") == [(7, 1.5)]
    assert runs["bad"].data.tags[REASON_TAG] == "diverged"
    assert tracked.artifacts(uri, runs["sweep"]) == {"table.md": "of before"}
