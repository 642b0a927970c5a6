"""The main job from command line to table: real dataset build, real Ray, real Trainer, real MLflow."""

import csv
import functools
from pathlib import Path

import pytest
import ray
from mlflow import MlflowClient

from epropnp.training.recipes import RECIPES, Recipe
from pipelines.build import BuildConfig, build
from sweeps import backbones
from sweeps.cluster import Share, share_of_cluster
from sweeps.tracking import EXPERIMENT, PARENT_TAG

TRIALS = ("test_resnet-deconv-mc0.02-seed0", "test_convnext-deconv-mc0.02-seed0")

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def recipe(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr("epropnp.training.recipes.RECIPES", dict(RECIPES) | {"quick": tiny})
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    coarse = functools.partial(BuildConfig, mesh_resolution=24, background_count=8)
    monkeypatch.setattr("pipelines.build.BuildConfig", coarse)
    monkeypatch.setattr("pipelines.build.build", functools.partial(build, workers=1))
    monkeypatch.setattr("sweeps.schedule.share_of_cluster", _share_on_loopback)
    return tiny


def _share_on_loopback(trials: int, wanted: int | None, threads: int) -> Share:
    """A Ray without a password must not be reachable from other machines."""
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    return share_of_cluster(trials, wanted, threads)


def _table(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "table.csv").open()))


def test_from_command_line_to_table_then_resume_then_failures(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "runs"
    common = ["--recipe", "quick", "--out", str(out), "--datasets", str(tmp_path / "data")]
    common += ["--name", "first"]

    # 1. A fresh sweep: two trials, one table, one parent run with two children.
    assert backbones.main(common) == 0, capsys.readouterr().err
    printed = capsys.readouterr().out
    folder = out / "first"
    rows = first = _table(folder)
    assert [row["trial"] for row in rows] == list(TRIALS)
    assert all(row["status"] == "finished" for row in rows)
    assert {row["test images"] for row in rows} == {str(recipe.test)}
    assert rows[0]["dataset"] in printed
    assert "epoch 2/2" in printed
    client = MlflowClient(f"sqlite:///{out / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"first", *TRIALS}
    parent = runs["first"]
    names = [artifact.path for artifact in client.list_artifacts(parent.info.run_id)]
    assert {"table.md", "table.csv", "summary.md", "summary.csv", "summary.png", "curves.png"} == set(names)
    assert (folder / "summary.md").read_text().splitlines()[2].strip("- ")[:40] in printed
    summary = list(csv.DictReader((folder / "summary.csv").open()))
    by_table = {row["backbone"]: float(row["ADD(-S) area"]) for row in rows}
    means = {row["backbone"]: float(row["mean"]) for row in summary if row["score"] == "ADD(-S) area"}
    assert means == pytest.approx(by_table)
    for row in rows:
        low, value, high = (float(row[f"ADD(-S) area{bound}"]) for bound in (" low", "", " high"))
        assert 0 <= low <= value <= high <= 100
    for trial in TRIALS:
        run = runs[trial]
        assert run.data.tags[PARENT_TAG] == parent.info.run_id
        assert run.info.status == "FINISHED"
        assert run.data.params["model.backbone"] == trial.split("-")[0]
        history = client.get_metric_history(run.info.run_id, "val/add_0.10d")
        assert [metric.step for metric in history] == [0, 1, 2]
        assert "test/add_area" in run.data.metrics
        artifacts = [artifact.path for artifact in client.list_artifacts(run.info.run_id)]
        assert {"result.json", "predictions.parquet"} <= set(artifacts)

    # 2. Resumed: nothing left to run, the same table.
    before = (folder / "table.csv").read_text()
    assert backbones.main(["--out", str(tmp_path / "runs"), "--resume"]) == 0
    assert "2 trials are finished already" in capsys.readouterr().out
    assert (folder / "table.csv").read_text() == before

    # 3. Resumed under other settings: refused.
    assert backbones.main([*common, "--resume", "--epochs", "3"]) == 2
    assert "optim.epochs=2 (now 3)" in capsys.readouterr().err

    # 4. Both trials lost their result: one goes on from its checkpoint, one has a broken checkpoint.
    for trial in TRIALS:
        (folder / "trials" / trial / "result.json").unlink()
    (folder / "trials" / TRIALS[1] / "checkpoint.pt").write_bytes(b"not a checkpoint")
    assert backbones.main([*common, "--resume"]) == 1
    rows = _table(folder)
    assert rows[0] == first[0]
    assert "checkpoint.pt cannot be read" in rows[1]["status"]
    runs = {r.info.run_name: r for r in client.search_runs([experiment.experiment_id])}
    assert len(runs) == 3
    assert runs[TRIALS[0]].info.status == "FINISHED"
    assert {runs["first"].info.status, runs[TRIALS[1]].info.status} == {"FAILED"}

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
