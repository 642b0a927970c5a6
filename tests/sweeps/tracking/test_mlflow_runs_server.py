"""A real server that refuses, hangs, goes and comes back, or whose records others delete: nothing is lost."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType

from epropnp.training.result import TrialResult
from sweeps.tracking.events import PARENT
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.run_index import PARENT_TAG
from sweeps.tracking.tracker import Tracker
from tests.sweeps import told, tracked
from tests.sweeps.tracking.server import Server
from tests.sweeps.tracking.written import write_trial

A, B = "resnet-seed0", "vit-seed1"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(
    empty_database: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    found = Server(empty_database(tmp_path_factory.mktemp("server")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
        patch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        found.start()
        try:
            yield found
        finally:
            found.kill()


@pytest.fixture
def tracker(server: Server, tmp_path: Path) -> Iterator[Tracker]:
    found = tracked.tracker(server.uri, tmp_path)
    yield found
    found.close(0.0)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name.startswith("sweeps")]


def train(tracker: Tracker, trial: str, epochs: range) -> float:
    """Say that a trial does some epochs; how many seconds that took at most, for one of them."""
    worst_s = 0.0
    for epoch in epochs:
        began_s = time.perf_counter()
        tracker.log_epoch(trial, epoch, {"train/loss": 8.0 / 2**epoch})
        worst_s = max(worst_s, time.perf_counter() - began_s)
    return worst_s


def losses(uri: str, run: Any) -> list[tuple[int, float]]:
    return tracked.history(uri, run, "train/loss")


def test_a_server_that_hangs_holds_nothing_and_gets_all_when_it_goes_on(
    server: Server, tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker.start(PARENT, {})
    tracker.start(A, {"seed": 0})
    worst_s = train(tracker, A, range(2))
    tracked.sent(tracker)
    server.signal(signal.SIGSTOP)
    worst_s = max(worst_s, train(tracker, A, range(2, 6)))
    began_s = time.monotonic()
    assert not tracker.flush(4.0)  # a request is given up after three
    assert time.monotonic() - began_s < 8
    server.signal(signal.SIGCONT)
    worst_s = max(worst_s, train(tracker, A, range(6, 8)))
    tracker.finish(A, "FINISHED")
    tracked.sent(tracker)
    run = tracked.runs(server.uri, tmp_path)[A]
    assert losses(server.uri, run) == [(epoch, 8.0 / 2**epoch) for epoch in range(8)]
    assert run.info.status == "FINISHED"
    assert worst_s < 0.1
    assert run.info.end_time
    tracker.start(A, {"seed": 0})
    tracked.sent(tracker)
    again = tracked.runs(server.uri, tmp_path)[A].info
    assert (again.status, again.end_time) == ("RUNNING", None)
    outage, back = lines(caplog)
    assert outage.startswith(f"MLflow is out of reach, records wait in {tmp_path / 'spool.jsonl'}: ")
    assert back.startswith("MLflow answers again after ")


def test_a_server_that_goes_and_comes_back_with_another_process_in_between(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, result: TrialResult
) -> None:
    write_trial(tmp_path / A, result, [8.0, 4.0])
    tracker = tracked.tracker(server.uri.replace("://", "://me:hush@"), tmp_path)
    listener = tracked.tracking(tracker, tmp_path, {A: {"seed": 0}})
    tracker.start(PARENT, {})
    listener.started(A)
    tracked.sent(tracker)
    server.kill()
    listener.reported(A, told.epoch(0, 8.0))
    listener.reported(A, told.epoch(1, 4.0))
    assert not tracker.close(0.5)
    (line,) = lines(caplog)
    assert "out of reach" in line
    assert "hush" not in line
    server.start()
    later = tracked.tracker(server.uri, tmp_path)
    tracked.tracking(later, tmp_path, {}).ended(told.ended(A, "finished", result=result))
    later.finish(PARENT, "FINISHED")
    assert later.close(60)
    runs = tracked.runs(server.uri, tmp_path)
    assert {name: run.info.status for name, run in runs.items()} == {"sweep": "FINISHED", A: "FINISHED"}
    assert losses(server.uri, runs[A]) == [(0, 8.0), (1, 4.0)]
    assert tracked.artifacts(server.uri, runs[A])["result.json"] == (tmp_path / A / "result.json").read_text()
    assert not (tmp_path / "spool.jsonl").exists()


def test_what_was_deleted_or_purged_is_there_again_once(
    server: Server, tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture, result: TrialResult
) -> None:
    """A run in the trash, a purged run of a trial that goes on, and one of a trial that had ended."""
    client = MlflowClient(server.uri)
    write_trial(tmp_path / A, result, [8.0, 4.0])
    write_trial(tmp_path / B, None, [5.0, 3.0])
    listener = tracked.tracking(tracker, tmp_path, {A: {"seed": 0}, B: {"seed": 1}})
    tracker.start(PARENT, {"dataset_id": "ab"})
    for name, loss in ((A, 8.0), (B, 5.0)):
        listener.started(name)
        listener.reported(name, told.epoch(0, loss))
    listener.reported(A, told.epoch(1, 4.0))
    listener.ended(told.ended(A, "finished", result=result))
    tracked.sent(tracker)
    before = tracked.runs(server.uri, tmp_path)
    client.delete_run(before["sweep"].info.run_id)
    purge(server, before[A].info.run_id, before[B].info.run_id)
    listener.reported(B, told.epoch(1, 3.0))
    listener.ended(told.ended(B, "stopped", "too slow"))
    tracker.finish(PARENT, "FINISHED")
    tracked.sent(tracker)

    runs = tracked.runs(server.uri, tmp_path)
    assert runs["sweep"].info.run_id == before["sweep"].info.run_id
    statuses = {name: run.info.status for name, run in runs.items()}
    assert statuses == {"sweep": "FINISHED", A: "FINISHED", B: "KILLED"}
    assert {runs[name].data.tags[PARENT_TAG] for name in (A, B)} == {before["sweep"].info.run_id}
    assert losses(server.uri, runs[A]) == [(0, 8.0), (1, 4.0)]
    assert losses(server.uri, runs[B]) == [(0, 5.0), (1, 3.0)]
    assert runs[A].data.metrics["test/add_area"] == result.test["add_area"]
    assert runs[A].data.params["model.backbone"] == runs[B].data.params["model.backbone"]
    assert "result.json" in tracked.artifacts(server.uri, runs[A])
    assert not any("incomplete" in tag for run in runs.values() for tag in run.data.tags)
    said = lines(caplog)
    assert len(said) == 2
    assert any("the run of sweep was deleted: it is restored" in line for line in said)
    assert any(f"no run of {B} is there: it is written from the sweep's folder" in line for line in said)


def test_an_experiment_that_was_deleted_or_purged_is_there_again(
    server: Server, tracker: Tracker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = MlflowClient(server.uri)
    write_trial(tmp_path / A, None, [8.0, 4.0, 2.0])
    tracker.start(PARENT, {"recipe": "quick"})
    tracker.start(A, {"seed": 0})
    train(tracker, A, range(1))
    tracked.sent(tracker)
    before = tracked.runs(server.uri, tmp_path)[A].info.run_id
    client.delete_experiment(number(client))
    train(tracker, A, range(1, 2))
    tracked.sent(tracker)
    run = tracked.runs(server.uri, tmp_path)[A]
    assert (run.info.run_id, losses(server.uri, run)) == (before, [(0, 8.0), (1, 4.0)])
    assert lines(caplog) == ["MLflow's experiment 'epropnp' was deleted: restored, with its runs"]

    purge(server, experiment=number(client))
    train(tracker, A, range(2, 3))
    tracker.finish(PARENT, "KILLED")
    tracked.sent(tracker)
    runs = tracked.runs(server.uri, tmp_path)
    assert losses(server.uri, runs[A]) == [(0, 8.0), (1, 4.0), (2, 2.0)]
    assert runs["sweep"].data.params == {"recipe": "quick"}
    assert runs[A].data.tags[PARENT_TAG] == runs["sweep"].info.run_id != before


def number(client: MlflowClient) -> str:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return str(experiment.experiment_id)


def purge(server: Server, *runs: str, experiment: str | None = None) -> None:
    """For good, as `mlflow gc` does, which takes five seconds."""
    from mlflow.tracking._tracking_service.utils import _get_store

    store = _get_store(server.database)
    for name in runs:
        store.delete_run(name)
        store._hard_delete_run(name)
    if experiment is not None:
        store.delete_experiment(experiment)
        for run in store.search_runs([experiment], "", ViewType.ALL):
            store._hard_delete_run(run.info.run_id)
        store._hard_delete_experiment(experiment)
