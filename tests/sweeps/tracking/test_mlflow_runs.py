"""What events become in MLflow: each fact once, as it is now, whatever was carried out before."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from epropnp.training.result import TrialResult
from sweeps.tracking import events
from sweeps.tracking import mlflow_runs as module
from sweeps.tracking.events import PARENT, Event, RefusedError
from sweeps.tracking.mlflow_runs import LEFT_OUT_TAG, REASON_TAG, MlflowRuns
from sweeps.tracking.run_index import PARENT_TAG
from sweeps.tracking.trial_events import end_of
from sweeps.trial import read
from tests.sweeps import tracked
from tests.sweeps.tracking.written import ENDED_MS, write_trial

A, B = "resnet-seed0", "vit-seed1"


@pytest.fixture
def runs(uri: str, tmp_path: Path) -> MlflowRuns:
    return tracked.sender(uri, tmp_path)


def carry(runs: MlflowRuns, *given: Event) -> None:
    for event in given:
        runs.carry(event)


def sweep_started(words: list[str], **flags: str) -> Event:
    named = {f"flag.{name}": value for name, value in flags.items()}
    return events.started(PARENT, named, events.command_tags(words, named))


def test_every_event_may_be_carried_out_twice(
    uri: str, tmp_path: Path, runs: MlflowRuns, result: TrialResult
) -> None:
    """Such as when a kill came after it was sent, and before that was noted."""
    write_trial(tmp_path / A, result, [8.0, 4.0])
    given = [
        events.started(PARENT, {"recipe": "quick"}),
        events.started(A, {"seed": 0}),
        events.epoch_ended(A, 0, {"train/loss": 8.0}),
        events.epoch_ended(A, 1, {"train/loss": float("nan")}),
        events.ended(A, "FINISHED", step=2, scores={"test/x": float("nan"), "test/y": 2.0}, root=tmp_path),
        events.ended(PARENT, "FINISHED", root=tmp_path),
    ]
    carry(runs, *given)
    before = {name: run.to_dictionary() for name, run in tracked.runs(uri, tmp_path).items()}
    carry(tracked.sender(uri, tmp_path), *(event for event in given for _ in range(2)))
    after = tracked.runs(uri, tmp_path)
    assert repr({name: run.to_dictionary() for name, run in after.items()}) == repr(before)
    assert [step for step, _ in tracked.history(uri, after[A], "train/loss")] == [0, 1]
    assert tracked.history(uri, after[A], "test/y") == [(2, 2.0)]
    assert len(tracked.history(uri, after[A], "test/x")) == 1


def test_a_request_that_was_carried_out_though_it_timed_out_is_not_doubled(
    uri: str, tmp_path: Path, runs: MlflowRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry(runs, events.started(A, {}))
    log_batch = MlflowClient.log_batch

    def late(*given: Any, **named: Any) -> None:
        log_batch(*given, **named)
        raise TimeoutError

    event = events.epoch_ended(A, 0, {"train/loss": 8.0})
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", late)
        with pytest.raises(TimeoutError):
            runs.carry(event)
    carry(runs, event)
    assert tracked.history(uri, tracked.runs(uri, tmp_path)[A], "train/loss") == [(0, 8.0)]


def test_the_last_command_is_what_the_sweep_says_though_params_are_the_first(
    uri: str, tmp_path: Path, runs: MlflowRuns
) -> None:
    carry(runs, sweep_started(["--seeds", "0", "--check", "no"], seeds="(0,)", check="False"))
    carry(runs, sweep_started(["--resume", "--seeds", "0", "1"], seeds="(0, 1)"))
    run = tracked.runs(uri, tmp_path)["sweep"]
    assert run.data.params == {"flag.seeds": "(0,)", "flag.check": "False"}
    tags = {
        key: value for key, value in run.data.tags.items() if key.startswith(("flag.", "epropnp.command"))
    }
    assert tags == {"epropnp.command": "epropnp-sweeps run --resume --seeds 0 1", "flag.seeds": "(0, 1)"}


def test_the_reason_of_a_failure_goes_when_the_trial_has_finished(
    uri: str, tmp_path: Path, runs: MlflowRuns
) -> None:
    """Also where nobody said that it was started again, as after a kill."""
    carry(runs, events.ended(A, "FAILED", "diverged", root=tmp_path))
    assert tracked.runs(uri, tmp_path)[A].data.tags[REASON_TAG] == "diverged"
    last = events.ended(A, "FINISHED", root=tmp_path)
    carry(runs, last)
    run = tracked.runs(uri, tmp_path)[A]
    assert REASON_TAG not in run.data.tags
    assert (run.info.status, run.info.end_time) == ("FINISHED", last["time_ms"])


def test_what_a_killed_driver_left_running_ends_as_its_folder_says(
    uri: str, tmp_path: Path, runs: MlflowRuns, result: TrialResult
) -> None:
    names = {"done": result, "broken off": None}
    carry(runs, events.started(PARENT, {}))
    for name, own in names.items():
        write_trial(tmp_path / name, own, [8.0])
        carry(runs, events.started(name, {}))
    carry(runs, events.started("gone", {}), events.started("again", {}))
    later = tracked.sender(uri, tmp_path)
    carry(later, events.started("again", {}), events.started(PARENT, {}))
    found = tracked.runs(uri, tmp_path)
    assert {name: (run.info.status, run.data.tags.get(REASON_TAG)) for name, run in found.items()} == {
        "sweep": ("RUNNING", None),
        "done": ("FINISHED", None),
        "broken off": ("KILLED", "interrupted"),
        "gone": ("KILLED", "its folder is gone or damaged"),
        "again": ("RUNNING", None),  # of this process
    }
    assert [found[name].info.end_time for name in names] == [ENDED_MS, ENDED_MS]
    assert found["done"].data.metrics["test/add_area"] == result.test["add_area"]
    carry(later, events.ended(PARENT, "KILLED", root=tmp_path))
    assert tracked.runs(uri, tmp_path)["again"].info.status == "KILLED"


HOLDER = """
import sys, time
from pathlib import Path
from epropnp.claims import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_trial_that_another_process_trains_stays_running(
    uri: str, tmp_path: Path, runs: MlflowRuns
) -> None:
    write_trial(tmp_path / A, None, [8.0])
    carry(runs, events.started(A, {}))
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / A)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        carry(tracked.sender(uri, tmp_path), events.started(PARENT, {}))
        assert tracked.runs(uri, tmp_path)[A].info.status == "RUNNING"
        holder.kill()


def test_a_trial_that_mlflow_has_never_heard_of_is_told_from_its_folder(
    uri: str, tmp_path: Path, runs: MlflowRuns, result: TrialResult, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as on another server than before: settings, history with its times, scores, files and end."""
    write_trial(tmp_path / A, result, [8.0, 4.0, 2.0])
    write_trial(tmp_path / B, result, [1.0])
    carry(runs, events.started(PARENT, {}))
    for name in (A, B):
        carry(runs, end_of(read(tmp_path / name), tmp_path / name, tmp_path))
    run = tracked.runs(uri, tmp_path)[A]
    assert run.data.params["model.backbone"] == "resnet34"
    assert run.data.tags[PARENT_TAG] == tracked.runs(uri, tmp_path)["sweep"].info.run_id
    history = MlflowClient(uri).get_metric_history(run.info.run_id, "train/loss")
    told = [(each.step, each.value, each.timestamp) for each in history]
    assert told == [(0, 8.0, ENDED_MS - 20_000), (1, 4.0, ENDED_MS - 10_000), (2, 2.0, ENDED_MS)]
    assert (run.info.start_time, run.info.end_time) == (ENDED_MS, ENDED_MS)
    assert run.data.metrics["test/2deg2cm"] == 20.0
    assert set(tracked.artifacts(uri, run)) == {"trial.json", "status.json", "result.json"}
    (record,) = caplog.records  # once, not for each
    assert f"no run of {A} is there: it is written from the sweep's folder" in record.getMessage()


def test_a_run_that_could_not_be_written_to_its_end_is_completed_by_the_next_process(
    uri: str, tmp_path: Path, runs: MlflowRuns, result: TrialResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_trial(tmp_path / A, result, [8.0, 4.0])
    carry(runs, events.started(PARENT, {}))
    end = end_of(read(tmp_path / A), tmp_path / A, tmp_path)
    log_batch = MlflowClient.log_batch

    def broken(self: MlflowClient, run_id: str, metrics: Any = (), **named: Any) -> None:
        if metrics:
            raise ConnectionError
        log_batch(self, run_id, metrics, **named)

    with monkeypatch.context() as outage:
        outage.setattr(MlflowClient, "log_batch", broken)
        with pytest.raises(ConnectionError):
            runs.carry(end)
    carry(tracked.sender(uri, tmp_path), end)
    run = tracked.runs(uri, tmp_path)[A]
    assert tracked.history(uri, run, "train/loss") == [(0, 8.0), (1, 4.0)]
    assert (run.info.status, run.data.params["seed"]) == ("FINISHED", "0")
    assert not any("incomplete" in tag for tag in run.data.tags)


def test_a_fact_that_mlflow_refuses_keeps_no_other_out(
    uri: str, tmp_path: Path, runs: MlflowRuns, result: TrialResult, caplog: pytest.LogCaptureFixture
) -> None:
    write_trial(tmp_path / A, result, [8.0, 4.0])
    status = tmp_path / A / "status.json"
    status.write_text(status.read_text().replace("train/loss", "not a name!*", 1))
    carry(runs, events.started(PARENT, {}), end_of(read(tmp_path / A), tmp_path / A, tmp_path))
    run = tracked.runs(uri, tmp_path)[A]
    assert tracked.history(uri, run, "train/loss") == [(1, 4.0)]
    assert (run.info.status, run.data.metrics["test/add_area"]) == ("FINISHED", result.test["add_area"])
    assert sum("refused a record" in record.getMessage() for record in caplog.records) == 1


def test_children_get_the_new_parent_where_theirs_was_purged(
    uri: str, tmp_path: Path, runs: MlflowRuns
) -> None:
    carry(runs, events.started(PARENT, {}), events.started(A, {}))
    before = tracked.runs(uri, tmp_path)["sweep"].info.run_id
    from mlflow.tracking._tracking_service.utils import _get_store

    _get_store(uri)._hard_delete_run(before)
    carry(tracked.sender(uri, tmp_path), events.started(PARENT, {}))
    found = tracked.runs(uri, tmp_path)
    assert found[A].data.tags[PARENT_TAG] == found["sweep"].info.run_id != before


def test_a_record_that_fails_while_others_are_taken_is_left_out_at_last(
    uri: str, tmp_path: Path, runs: MlflowRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry(runs, events.started(PARENT, {}), events.started(A, {}))

    def broken(*_: Any, **__: Any) -> None:
        raise MlflowException("(psycopg2.DataError) for postgresql://me:hush@db/x")

    event = events.epoch_ended(A, 3, {"train/loss": 8.0, "val/x": float("nan")})
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", broken)
        patch.setattr(module, "PATIENCE_SECONDS", 0.3)
        with pytest.raises(MlflowException):
            runs.carry(event)
        time.sleep(0.3)
        event = json.loads(json.dumps(event))  # as it comes from the queue
        with pytest.raises(RefusedError, match=r"postgresql://\*\*\*@db/x"):
            runs.carry(event)
    left_out = tracked.runs(uri, tmp_path)["sweep"].data.tags[LEFT_OUT_TAG]
    assert left_out.startswith(f"epoch of {A} at {event['time_ms']}: (psycopg2.DataError) for ")
    assert "hush" not in left_out


def test_nothing_is_left_out_while_nothing_is_taken(
    uri: str, tmp_path: Path, runs: MlflowRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk: it is an outage."""
    carry(runs, events.started(PARENT, {}), events.started(A, {}))

    def broken(*_: Any, **__: Any) -> None:
        raise MlflowException("(sqlite3.OperationalError) database or disk is full")

    event = events.epoch_ended(A, 0, {"train/loss": 8.0})
    with monkeypatch.context() as full:
        full.setattr(MlflowClient, "log_batch", broken)
        full.setattr(MlflowClient, "set_tag", broken)
        full.setattr(module, "PATIENCE_SECONDS", 0.0)
        for _ in range(3):
            with pytest.raises(MlflowException):
                runs.carry(event)
    carry(runs, event)
    assert tracked.history(uri, tracked.runs(uri, tmp_path)[A], "train/loss") == [(0, 8.0)]


def test_files_that_have_no_place_for_a_while_are_stored_at_the_end_of_the_sweep(
    uri: str,
    tmp_path: Path,
    runs: MlflowRuns,
    result: TrialResult,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Such as a bucket that is out of reach: it holds the records for a minute, and the files longer."""
    write_trial(tmp_path / A, result, [8.0])
    carry(runs, events.started(PARENT, {}), events.started(A, {}))
    end = end_of(read(tmp_path / A), tmp_path / A, tmp_path)

    def broken(*_: Any) -> None:
        raise ConnectionError("s3://key:hush@bucket")

    with monkeypatch.context() as outage:
        outage.setattr(MlflowClient, "log_artifact", broken)
        with pytest.raises(ConnectionError):
            runs.carry(end)
        assert tracked.runs(uri, tmp_path)[A].info.status == "RUNNING"
        outage.setattr(module, "PATIENCE_SECONDS", 0.0)
        carry(runs, end)
    run = tracked.runs(uri, tmp_path)[A]
    assert (run.info.status, tracked.artifacts(uri, run)) == ("FINISHED", {})
    carry(runs, events.ended(PARENT, "FINISHED", root=tmp_path))
    assert set(tracked.artifacts(uri, run)) == {"trial.json", "status.json", "result.json"}
    (record,) = caplog.records
    assert "takes none (s3://***@bucket): they stay in the sweep's folder" in record.getMessage()
