"""MLflow records on a real SQLite database: nesting, history, artifacts, resume, outage."""

import json
import logging
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from sweeps.tracking.tracker import PARENT, PARENT_TAG, TrackingCallback
from tests.sweeps import tracked

TRIAL = "resnet10t-deconv-mc0.02-seed0"


def test_children_are_nested_and_hold_params_history_and_artifacts(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(PARENT, {"recipe": "quick"})
    tracker.start(TRIAL, {f"group.key{i}": i for i in range(250)})
    for epoch in range(3):
        tracker.log_epoch(TRIAL, epoch, {"train/loss": 3.0 - epoch, "val/add_0.10d": 10.0 * epoch})
    tracker.log_scores(TRIAL, 2, {"test/add_0.10d": 21.0})
    table = tmp_path / "table.md"
    table.write_text("| backbone |\n")
    tracker.log_files(PARENT, [table])
    tracker.finish(TRIAL, "FINISHED")
    tracker.finish(PARENT, "FINISHED")

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
    before = {name: run.info.run_id for name, run in tracked.runs(uri, tmp_path).items()}

    again = tracked.tracker(uri, tmp_path)
    again.start(PARENT, {})
    again.start(TRIAL, {"seed": 0, "later": "param"})
    again.log_epoch(TRIAL, 1, {"train/loss": 1.0})
    again.log_epoch(TRIAL, 2, {"train/loss": 0.5})
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
        assert not away.connect()
        away.start(PARENT, {})
        away.start(TRIAL, {"seed": 0})
        for epoch in range(3):
            away.log_epoch(TRIAL, epoch, {"train/loss": 1.0 / (epoch + 1)})
    assert len(caplog.records) == 1  # one warning, not one per epoch
    kinds = [json.loads(line)["kind"] for line in spool.read_text().splitlines()]
    assert kinds == ["start", "start", "epoch", "epoch", "epoch"]

    back = tracked.tracker(uri, tmp_path)
    back.finish(TRIAL, "FINISHED")  # anything new sends the old first
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

    def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("server gone")

    with monkeypatch.context() as outage:
        outage.setattr(MlflowClient, "log_batch", broken)
        tracker.log_epoch(TRIAL, 1, {"train/loss": 2.0})
        assert not tracker.flush()
    tracker.log_epoch(TRIAL, 2, {"train/loss": 1.0})
    assert tracker.flush()
    history = tracked.history(uri, tracked.runs(uri, tmp_path)[TRIAL], "train/loss")
    assert history == [(0, 3.0), (1, 2.0), (2, 1.0)]


def test_a_record_that_mlflow_refuses_does_not_block_the_rest(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    tracker.log_epoch(TRIAL, 0, {"not a name!*": 1.0})
    tracker.log_epoch(TRIAL, 1, {"train/loss": 1.0})
    assert tracker.flush()
    assert tracked.history(uri, tracked.runs(uri, tmp_path)[TRIAL], "train/loss") == [(1, 1.0)]


def _epoch(epoch: int, earlier: list[float], loss: float) -> dict[str, Any]:
    before = [{"train/loss": value} for value in earlier]
    return {"epoch": epoch, "metrics": {"train/loss": loss}, "earlier": before}


def test_the_callback_follows_a_trial_and_keeps_its_state(uri: str, tmp_path: Path) -> None:
    tracker = tracked.tracker(uri, tmp_path)
    callback = TrackingCallback(tracker, {TRIAL: {"seed": 0}, "bad": {"seed": 1}})

    def trial(name: str, last_result: dict[str, Any]) -> Any:
        return SimpleNamespace(config={"trial": {"name": name}}, last_result=last_result)

    good, bad = trial(TRIAL, {}), trial("bad", {"failed": "loss is not finite"})
    callback.on_trial_start(0, [], good)
    callback.on_trial_result(0, [], good, _epoch(2, [4.0, 2.0], 1.0))
    callback.on_trial_complete(0, [], good)
    callback.on_trial_start(0, [], bad)
    callback.on_trial_result(0, [], bad, bad.last_result)
    callback.on_trial_complete(0, [], bad)
    runs = tracked.runs(uri, tmp_path)
    assert runs[TRIAL].info.status == "FINISHED"
    assert tracked.history(uri, runs[TRIAL], "train/loss") == [(0, 4.0), (1, 2.0), (2, 1.0)]
    assert runs["bad"].info.status == "FAILED"
    assert runs["bad"].data.tags["epropnp.failure"] == "loss is not finite"

    restored = tracked.tracker(uri, tmp_path)
    TrackingCallback(restored, {}).set_state(callback.get_state())
    assert restored.logged == {TRIAL: 2}


def test_a_tracker_is_stored_without_its_connection(uri: str, tmp_path: Path) -> None:
    """Ray stores its callbacks."""
    tracker = tracked.tracker(uri, tmp_path)
    tracker.start(TRIAL, {})
    tracker.log_epoch(TRIAL, 0, {"train/loss": 2.0})
    restored = pickle.loads(pickle.dumps(tracker))
    restored.log_epoch(TRIAL, 1, {"train/loss": 1.0})
    assert restored.logged == {TRIAL: 1}
    (child,) = [run for name, run in tracked.runs(uri, tmp_path).items() if name == TRIAL]
    assert tracked.history(uri, child, "train/loss") == [(0, 2.0), (1, 1.0)]
