"""How long an image takes, in MLflow: at step 0 of the trial's run, as it was measured last."""

from pathlib import Path

import pytest
from mlflow import MlflowClient

from epropnp.training.result import TrialResult
from sweeps.tracking.events import PARENT, Event, started
from sweeps.tracking.mlflow_runs import LATENCY_TAG
from sweeps.tracking.trial_events import end_of, facts_of
from sweeps.trial import read
from tests.inference.measured import latency
from tests.sweeps import tracked
from tests.sweeps.tracking.written import ENDED_MS, write_trial

A, B = "resnet-seed0", "vit-seed1"
DAY_MS = 86_400_000


@pytest.fixture
def folder(tmp_path: Path, result: TrialResult) -> Path:
    """Of a trial that finished."""
    write_trial(tmp_path / A, result, [8.0, 4.0])
    return tmp_path / A


def end(folder: Path) -> Event:
    return end_of(read(folder), folder, folder.parent)


def test_a_latency_is_added_to_a_run_that_has_ended(
    uri: str, tmp_path: Path, folder: Path, result: TrialResult
) -> None:
    runs = tracked.sender(uri, tmp_path)
    for event in (started(PARENT, {}), started(A, {}), end(folder)):
        runs.carry(event)
    before = tracked.runs(uri, tmp_path)[A]
    assert not any("latency" in name for name in (*before.data.metrics, *before.data.tags))
    latency(8.0).write(folder)
    for _ in range(2):
        runs.carry(end(folder))
    after = tracked.runs(uri, tmp_path)[A]
    shown = {name: value for name, value in after.data.metrics.items() if name.startswith("time/")}
    assert shown == {
        "time/network_ms_1": 8.0,
        "time/layer_ms_1": 16.0,
        "time/network_ms_32": 4.0,
        "time/layer_ms_32": 8.0,
    }
    assert all(tracked.history(uri, after, name) == [(0, value)] for name, value in shown.items())
    assert tracked.history(uri, after, "test/add_area") == [(0, result.test["add_area"])]
    assert after.data.tags[LATENCY_TAG] == "cpu, 2 threads, float32"
    assert (after.info.status, after.info.end_time) == ("FINISHED", before.info.end_time)


def test_the_newest_measurement_is_shown_and_the_earlier_one_kept(
    uri: str, tmp_path: Path, folder: Path
) -> None:
    """Such as that of another machine, also where it is the faster one."""
    runs = tracked.sender(uri, tmp_path)
    runs.carry(started(A, {}))
    for day, ms in ((2, 8.0), (3, 5.0)):
        latency(ms, day=day).write(folder)
        runs.carry(end(folder))
    run = tracked.runs(uri, tmp_path)[A]
    assert run.data.metrics["time/network_ms_1"] == 5.0
    history = MlflowClient(uri).get_metric_history(run.info.run_id, "time/network_ms_1")
    noted = sorted((each.timestamp, each.step, each.value) for each in history)
    assert noted == [(ENDED_MS, 0, 8.0), (ENDED_MS + DAY_MS, 0, 5.0)]


def test_the_facts_of_a_folder_hold_its_latency_if_it_has_one(
    tmp_path: Path, folder: Path, result: TrialResult
) -> None:
    latency(8.0, batches=(1,)).write(folder)
    write_trial(tmp_path / B, result, [8.0])
    write_trial(tmp_path / "broken off", None, [8.0])
    latency(8.0).write(tmp_path / "broken off")
    facts = facts_of(lambda name: tmp_path / name, tmp_path)
    last = {name: facts(name)[-1] for name in (A, B, "broken off")}
    assert last[A]["costs"] == {"time/network_ms_1": 8.0, "time/layer_ms_1": 16.0}
    assert ["costs" in event for event in last.values()] == [True, False, False]
