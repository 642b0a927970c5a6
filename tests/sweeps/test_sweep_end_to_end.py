"""The main job from command line to table: real dataset build, real Ray, real Trainer, real MLflow."""

import csv
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import ObjectModel
from epropnp.evaluation.predictions import Predictions
from epropnp.plain import flatten, from_dict
from epropnp.training.config import TrialConfig
from epropnp.training.identity import identity
from epropnp.training.recipes import RECIPES, Recipe
from pipelines.building.build import BuildConfig, build_planned
from pipelines.building.plan import Plan
from sweeps import backbones
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.run_index import PARENT_TAG

STARTS = ("tiny-test_resnet-deconv-mc0.02-seed0-", "tiny-test_convnext-deconv-mc0.02-seed0-")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def recipe(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr("sweeps.backbones.RECIPES", dict(RECIPES) | {"quick": tiny})
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    coarse = functools.partial(BuildConfig, mesh_resolution=24, background_count=8)
    monkeypatch.setattr("sweeps.datasets.BuildConfig", coarse)
    monkeypatch.setattr("pipelines.building.build.build_planned", _build_here)
    return tiny


def _build_here(plan: Plan, workers: int | None, progress: bool, ray_address: str | None) -> Path:
    assert (workers, ray_address) == (None, None)
    return build_planned(plan, 1, progress)


def _table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "table.csv").open()))


def _plain_scores(file: Path, model: ObjectModel) -> dict[str, float]:
    """Columns of the table from a prediction file of one object, by the definitions."""
    table = pq.read_table(file)
    found, true = (np.array(table[name].to_pylist()).reshape(-1, 4, 4) for name in ("T_pred", "T_true"))
    points = model.points.astype(float)
    moved = [points @ T[:, :3, :3].swapaxes(1, 2) + T[:, None, :3, 3] for T in (found, true)]
    add = np.linalg.norm(moved[0] - moved[1], axis=2).mean(1) / model.diameter_m
    trace = np.einsum("nij,nij->n", found[:, :3, :3], true[:, :3, :3])
    angle_deg = np.degrees(np.arccos(((trace - 1) / 2).clip(-1, 1)))
    shift_cm = 100 * np.linalg.norm(found[:, :3, 3] - true[:, :3, 3], axis=1)
    within = {n: (angle_deg < n) & (shift_cm < n) for n in range(1, 11)}
    counts = {f"ADD(-S) {part:.2f}d": add < part for part in (0.02, 0.05, 0.1)}
    counts["ADD(-S) mean of 3"] = np.mean(list(counts.values()), axis=0)
    counts["ADD(-S) area"] = (1 - add / 0.1).clip(min=0)
    counts |= {f"{n}deg{n}cm": within[n] for n in (2, 5, 10)}
    counts["deg cm mean 1..10"] = np.mean(list(within.values()), axis=0)
    return {title: 100 * float(np.mean(count)) for title, count in counts.items()}


def _check_row(row: dict[str, str], folder: Path, model: ObjectModel) -> None:
    """A line of the table holds what stands in the files of its own trial."""
    result = json.loads((folder / "result.json").read_text())
    expected = {
        "backbone": result["backbone"],
        "parameters": str(result["parameters"]),
        "seconds": str(result["seconds"]),
        "epochs": str(result["epochs"]),
        "val 0.10d before": str(result["val_before"]["add_0.10d"]),
        "val 0.10d after": str(result["validation"]["add_0.10d"]),
        "dataset": result["dataset_id"],
    }
    assert {title: row[title] for title in expected} == expected
    for title, value in _plain_scores(folder / "predictions.parquet", model).items():
        assert float(row[title]) == pytest.approx(value, abs=0.1), title  # the area is a sum of 1000 steps


def _check_run(client: MlflowClient, run: Run, folder: Path) -> None:
    """A run holds the config, the history, the scores and the files of its own trial."""
    result = json.loads((folder / "result.json").read_text())
    config = from_dict(TrialConfig, json.loads((folder / "trial.json").read_text())["config"])
    changed = {key: str(value) for key, value in flatten(config).items()}
    assert run.data.params == {key: changed[key] for key in run.data.params}
    assert set(run.data.params) >= {"model.backbone", "model.head", "loss.mc", "seed", *identity(config)}
    assert len(run.data.metrics) <= 60
    for key, values in (("train/loss", [None, *result["train_loss"]]), ("val/add_0.10d", result["val_add"])):
        history = [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]
        digits = 4 if key.startswith("val/") else 17
        assert history == [(epoch, round(v, digits)) for epoch, v in enumerate(values) if v is not None]
    tested = {key: value for key, value in run.data.metrics.items() if key.startswith("test/")}
    assert tested == {f"test/{key}": round(value, 4) for key, value in result["test"].items()}
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    predicted = {"predictions.parquet", "predictions.errors.parquet", "validation.parquet"}
    tables = {"objects.json", "images.json"}
    notes = {"trial.json", "status.json", "trial.log", "result.json"}
    pictures = {"predictions.png", "calibration.png", "epochs.png"}
    assert names == {*notes, *tables, *predicted, *pictures, "images", "latency.json"}
    for name in names - tables - {"images"}:
        stored = client.download_artifacts(run.info.run_id, name)
        assert Path(stored).read_bytes() == (folder / name).read_bytes(), name


def _move(file: Path, errors_d: tuple[float, ...], model: ObjectModel) -> None:
    """Replace predicted poses by true ones, moved by fractions of the diameter."""
    given = Predictions.read(file)
    T_pred = given.T_true.copy()
    T_pred[:, 0, 3] += np.array(errors_d) * model.diameter_m
    dataclasses.replace(given, T_pred=T_pred).write(file)


def _without_scores(row: dict[str, str]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if "deg" not in key and "ADD" not in key}


def _check_champion(client: MlflowClient, run_ids: set[str], folders: list[Path], printed: str) -> None:
    """Two epochs may teach neither network anything: then none is the best."""
    results = [json.loads((own / "result.json").read_text()) for own in folders]
    if len({result["validation"]["add_area"] for result in results}) == 1:
        assert "no model is registered: all 2 settings score the same on validation" in printed
        return
    assert client.get_model_version_by_alias("epropnp-first", "champion").run_id in run_ids
    assert "the new models:/epropnp-first@champion" in printed


@pytest.mark.slow
def test_from_command_line_to_table_then_resume_then_failures(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    common = ["--recipe", "quick", "--out", str(out), "--datasets", str(tmp_path / "data")]
    common += ["--name", "first", "--keep", "all"]

    # 1. A fresh sweep: two trials, one table, one parent run with two children.
    assert backbones.main(common) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    folder = out / "first"
    rows = first = _table(folder)
    trials = [row["trial"] for row in rows]
    assert [name[:-6] for name in trials] == list(STARTS)
    assert all(row["status"] == "finished" for row in rows)
    assert {row["test images"] for row in rows} == {str(recipe.test)}
    assert rows[0]["dataset"] in printed
    assert "finished  loss" in printed
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"first", *trials}
    parent = runs["first"]
    names = [artifact.path for artifact in client.list_artifacts(parent.info.run_id)]
    assert {"table.md", "table.csv", "summary.md", "summary.csv", "summary.png", "accuracy.png"} <= set(names)
    assert (folder / "summary.md").read_text().splitlines()[2].strip("- ")[:40] in printed
    (model,) = ArrowDataset(next((tmp_path / "data").glob("*/manifest.json")).parent).objects.values()
    folders = [folder / "trials" / trial for trial in trials]
    for trial, row, own in zip(trials, rows, folders, strict=True):
        assert row["backbone"] == trial.split("-")[1]
        _check_row(row, own, model)
        _check_run(client, runs[trial], own)
        assert runs[trial].data.tags[PARENT_TAG] == parent.info.run_id
        assert runs[trial].info.status == "FINISHED"
    losses = [json.loads((own / "result.json").read_text())["train_loss"] for own in folders]
    assert losses[0] != losses[1]
    _check_champion(client, {runs[trial].info.run_id for trial in trials}, folders, printed)

    # 2. Resumed with predictions put in that score differently: nothing left to run, each row its own file's.
    for own, errors_d in zip(folders, ((0.09, 0.09, 0.09, 5.0), (0.01, 0.01, 5.0, 5.0)), strict=True):
        _move(own / "predictions.parquet", errors_d, model)
    assert backbones.main(["--out", str(tmp_path / "runs"), "--resume", "--figures", "no"]) == 0
    assert "2 trials are finished already" in capsys.readouterr().out
    rows = _table(folder)
    assert [_without_scores(row) for row in rows] == [_without_scores(row) for row in first]
    for row, own in zip(rows, folders, strict=True):
        _check_row(row, own, model)
    assert [float(row["ADD(-S) 0.10d"]) for row in rows] == [75, 50]
    summary = list(csv.DictReader((folder / "summary.csv").open()))
    for title, best, worse in (("ADD(-S) 0.10d", 0, 1), ("ADD(-S) area", 1, 0), ("5deg5cm", 0, 1)):
        lines = [line for line in summary if line["score"] == title]
        assert [line["backbone"] for line in lines] == [rows[k]["backbone"] for k in (best, worse)]
        assert [line["mean"] for line in lines] == [rows[k][title] for k in (best, worse)]
        difference = float(rows[worse][title]) - float(rows[best][title])
        assert float(lines[1]["difference"]) == pytest.approx(difference)
    assert "ADD(-S) 0.10d: best is test_resnet" in (folder / "summary.md").read_text()
    for trial, own in zip(trials, folders, strict=True):
        _check_run(client, runs[trial], own)

    # 3. Resumed under other settings: refused.
    assert backbones.main([*common, "--resume", "--epochs", "3"]) == 2
    assert "`--vary optim.epochs 3` adds trials with 3" in capsys.readouterr().err

    # 4. Both trials lost their result: one goes on from its checkpoint, one has a broken checkpoint.
    for trial in trials:
        (folder / "trials" / trial / "result.json").unlink()
    (folder / "trials" / trials[1] / "checkpoint.pt").write_bytes(b"not a checkpoint")
    assert backbones.main([*common, "--resume", "--trials-at-once", "1"]) == 1
    rows = _table(folder)
    assert rows[0] == first[0]
    assert "checkpoint.pt cannot be read" in rows[1]["status"]
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert len(runs) == 3
    assert runs[trials[0]].info.status == "FINISHED"
    assert {runs["first"].info.status, runs[trials[1]].info.status} == {"FAILED"}

    # 5. One byte of a shard is flipped: refused before anything starts, naming the file.
    shard = next((tmp_path / "data").glob("*/train-00000.arrow"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    capsys.readouterr()
    assert backbones.main([*common, "--resume"]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    assert "train-00000.arrow" in message
