"""Folders of trainings in MLflow: one run each, however often they are sent, with the network as a model."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from epropnp.training.result import TrialResult
from sweeps.__main__ import main
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.fluent import quiet, tracking_at
from tests.inference.untrained import write_untrained
from tests.sweeps.commands.made import a_sweep, begin, held
from tests.sweeps.tracked import artifacts, history
from tests.sweeps.tracking.written import ENDED_MS, write_trial


@pytest.fixture(autouse=True)
def _at(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)


def said(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 0) -> list[str]:
    capsys.readouterr()  # bars of what a test itself looks at
    found = main(["record", *map(str, words)])
    out, err = capsys.readouterr()
    assert (found, err if code == 0 else out) == (code, "")
    return (err if code else out).splitlines()


def runs(uri: str, **tags: str) -> dict[str, Any]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    query = " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items())
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id], query)}


@pytest.mark.slow
def test_a_training_by_itself_is_one_run_with_a_model(
    uri: str, tmp_path: Path, result: TrialResult, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "first"
    write_trial(folder, result, [8.0, 4.0, 2.0])
    write_untrained(folder / "best.pt")
    first, model = said(capsys, folder)
    run_id = first.split()[1].removesuffix(":")
    assert first == f"run {run_id}: first, finished; in MLflow at {uri}"
    address = model.removeprefix("model ")
    run = MlflowClient(uri).get_run(run_id)
    assert (run.info.run_name, run.info.status, run.info.end_time) == ("first", "FINISHED", ENDED_MS)
    assert "mlflow.parentRunId" not in run.data.tags
    assert run.data.params["model.backbone"] == "resnet34"
    assert history(uri, run, "train/loss") == [(0, 8.0), (1, 4.0), (2, 2.0)]
    assert run.data.metrics["test/add_area"] == result.test["add_area"]
    assert set(artifacts(uri, run)) == {"trial.json", "status.json", "result.json"}
    with quiet(), tracking_at(uri):
        loaded = mlflow.pyfunc.load_model(address)
    (row,) = loaded.predict(loaded.input_example)
    assert row["object"] == "hook"
    logged = MlflowClient(uri).get_logged_model(address.removeprefix("models:/"))
    assert logged.source_run_id == run_id
    assert {each.key for each in logged.metrics} >= {"test/add_area"}

    # The same again, and moved, is the same run; with another network it has another model.
    moved = tmp_path / "elsewhere" / "first"
    moved.parent.mkdir()
    folder.rename(moved)
    assert said(capsys, moved) == [first, f"{model}, as before"]
    again = MlflowClient(uri).get_run(run_id)
    assert repr(again.to_dictionary()["data"]["metrics"]) == repr(run.to_dictionary()["data"]["metrics"])
    assert history(uri, again, "train/loss") == [(0, 8.0), (1, 4.0), (2, 2.0)]
    assert (again.info.status, again.info.end_time) == ("FINISHED", ENDED_MS)
    write_untrained(moved / "best.pt", head_width=32)
    other = said(capsys, moved)
    assert other[0] == first
    assert other[1].startswith("model models:/")
    assert other[1] not in (model, f"{model}, as before")


def test_a_trial_of_a_sweep_is_the_run_that_its_sweep_has(
    uri: str, tmp_path: Path, result: TrialResult, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = a_sweep(tmp_path, "mine")
    folders = [begin(sweep, seed, "finished", 1, 20, ended="2026-01-02T03:04:05+00:00") for seed in (0, 1)]
    for folder in folders:
        (folder / "result.json").write_text(result.to_json())
    lines = [said(capsys, folder) for folder in (*folders, *folders)]
    assert lines[0] == lines[2] != lines[1]
    assert lines[0][1] == f"no model: there is no best.pt in {folders[0]}"
    found = runs(uri, **{"epropnp.sweep_id": sweep.sweep_id})
    assert set(found) == {"mine", *(folder.name for folder in folders)}
    assert {run.info.status for name, run in found.items() if name != "mine"} == {"FINISHED"}
    assert found["mine"].info.status == "KILLED"  # two of its trials wait
    for folder in folders:
        assert found[folder.name].data.tags["mlflow.parentRunId"] == found["mine"].info.run_id
        assert history(uri, found[folder.name], "val/add_area") == [(0, 1.0), (1, 20.0)]


def test_without_a_server_the_records_are_beside_the_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    sweep = a_sweep(tmp_path, "mine")
    (line, _) = said(capsys, begin(sweep, 0, "waiting", 1))
    assert line.endswith(f", waiting; in MLflow at sqlite:///{tmp_path / 'mlflow.db'}")
    assert (tmp_path / "mlflow.db").is_file()


def test_what_cannot_be_recorded_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = said(capsys, tmp_path, code=2)
    assert line == f"error: {tmp_path} is no folder of a trial: it has no trial.json"
    sweep = a_sweep(tmp_path, "mine")
    folder = begin(sweep, 0, "running", 1)
    with held(folder):
        (line,) = said(capsys, folder, code=2)
    assert line == f"error: {folder} is being trained: record it when that has ended"
    (folder / "best.pt").write_bytes(b"damaged")
    (line,) = said(capsys, folder, code=2)
    assert "best.pt cannot be read" in line
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:hush@127.0.0.1:9")
    (line,) = said(capsys, folder, code=2)
    assert line.startswith("error: MLflow at http://***@127.0.0.1:9: ")
    assert "hush" not in line
