"""Networks come back from MLflow as they went there; what is not there is one line."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from epropnp.training.result import TrialResult
from sweeps.__main__ import main
from sweeps.tracking.fluent import tracking_at
from sweeps.tracking.place import Place
from sweeps.tracking.record import record
from tests.inference.untrained import write_untrained
from tests.sweeps.tracking.written import write_trial


def said(capsys: pytest.CaptureFixture[str], *words: Any, code: int = 0) -> list[str]:
    capsys.readouterr()  # bars of what a test itself looks at
    found = main(["fetch", *map(str, words)])
    out, err = capsys.readouterr()
    assert (found, err if code == 0 else out) == (code, ""), err
    return (err if code else out).splitlines()


@pytest.mark.slow
def test_a_network_comes_back_by_every_name_also_after_a_move(
    empty_database: Callable[[Path], Path],
    tmp_path: Path,
    result: TrialResult,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    runs = empty_database(tmp_path / "runs")
    write_trial(runs / "first", result, [8.0])
    write_untrained(runs / "first" / "best.pt")
    network, note = ((runs / "first" / name).read_bytes() for name in ("best.pt", "trial.json"))
    uri = f"sqlite:///{runs / 'mlflow.db'}"
    found = record(runs / "first", Place(uri=uri, artifacts=runs / "mlartifacts"))
    assert found.model is not None
    client = MlflowClient(uri)
    client.create_registered_model("cats")
    with tracking_at(uri):
        client.create_model_version("cats", found.model.uri, found.run_id, model_id=found.model.model_id)
    client.set_registered_model_alias("cats", "champion", "1")

    moved = tmp_path / "moved"
    runs.rename(moved)
    shutil.rmtree(moved / "first")
    names = (found.run_id, found.model.uri, "models:/cats@champion", "models:/cats/1")
    for number, name in enumerate(names):
        folder = tmp_path / f"fetched-{number}"
        lines = said(capsys, name, "--output", folder, "--out", moved)
        assert lines == [f"wrote {folder / 'best.pt'}", f"wrote {folder / 'trial.json'}"]
        assert (folder / "best.pt").read_bytes() == network
        assert (folder / "trial.json").read_bytes() == note
    folder = tmp_path / "fetched-0"
    assert len(said(capsys, found.run_id, "--output", folder, "--out", moved)) == 2  # once more
    (folder / "best.pt").write_bytes(b"mine")
    (line,) = said(capsys, found.run_id, "--output", folder, "--out", moved, code=2)
    assert line == f"error: {folder / 'best.pt'} is another one: choose another --output, or remove it"
    for name in ("models:/cats@chamion", "models:/dogs@champion", "models:/cats/7", "0" * 32, "models:/m-0"):
        (line,) = said(capsys, name, "--out", moved, code=2)
        assert line == f"error: there is no run or model {name} in MLflow at sqlite:///{moved / 'mlflow.db'}"
    shutil.rmtree(moved / "mlartifacts")
    (line,) = said(capsys, found.run_id, "--output", tmp_path / "gone", "--out", moved, code=2)
    assert found.run_id in line or "MLflow at" in line


def test_without_a_model_and_without_records_it_says_so(
    uri: str,
    tmp_path: Path,
    result: TrialResult,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (line,) = said(capsys, "0" * 32, "--out", tmp_path, code=2)
    assert line == f"error: no runs are recorded in {tmp_path / 'mlflow.db'}: name their folder, --out"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    write_trial(tmp_path / "without", result, [8.0])
    run_id = record(tmp_path / "without", Place(uri=uri, artifacts=tmp_path / "artifacts")).run_id
    (line,) = said(capsys, run_id, code=2)
    assert line == f"error: run {run_id} has no model: epropnp-sweeps record FOLDER gives it one"
    (line,) = said(capsys, "cats@champion", code=2)
    assert line == "error: 'cats@champion' is neither the id of a run nor models:/NAME@ALIAS"
