"""A search as a sweep, on real Ray: killed and gone on with, it asks for the same trials, each once."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from epropnp.data.reader import ArrowDataset
from epropnp.training.trainer import Trainer
from sweeps.folder import open_sweep
from sweeps.search.domain import Domain
from sweeps.search.ranges import NumberRange
from sweeps.search.searching import Searching
from sweeps.space import Axis
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.trial import read
from tests.sweeps.cells import space, tiny_recipe

ROOT = Path(__file__).parents[2]
CELLS, SEEDS = 2, (0, 1)

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]

DRIVER = """
import sys
from pathlib import Path
from rich.console import Console
from sweeps.running.options import Options
from sweeps.sweep import run
from tests.sweeps.test_sweep_search import searching

dataset, folder, uri = sys.argv[1:]
how = {"options": Options(at_once=1), "console": Console(width=200)}
sys.exit(run(searching(), dataset, Path(folder), tracking_uri=uri, **how).code)
"""


def searching() -> Searching:
    axes = (Axis.of("optim.epochs", [1]), Axis.of("model.head", ["deconv", "direct"]))
    rates = NumberRange(key="optim.lr", low=1e-5, high=1e-2, log=True)
    domain = Domain(space(tiny_recipe(), *axes, backbones=["test_resnet"], seeds=SEEDS), [rates])
    return Searching(domain=domain, cells=CELLS)


def undisturbed(folder: Path, dataset: Path) -> None:
    """The same search, whose trials are trained one after the other without Ray."""
    sweep = open_sweep(folder)
    study = searching().study(sweep, {(): ArrowDataset(dataset).dataset_id})
    while (trial := study.ask()) is not None:
        Trainer(trial.config, dataset, sweep.prepare(trial), "cpu").fit()
        study.tell(read(sweep.trial_folder(trial.name)))


def start(dataset: Path, folder: Path, uri: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", DRIVER, str(dataset), str(folder), uri]
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    return subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def results(folder: Path) -> dict[str, tuple[int, object]]:
    """When each trial's result was written, and its scores on validation images."""
    files = folder.glob("trials/*/result.json")
    return {f.parent.name: (f.stat().st_mtime_ns, json.loads(f.read_text())["val_after"]) for f in files}


def draws(folder: Path) -> dict[str, object]:
    files = folder.glob("trials/*/trial.json")
    return {file.parent.name: json.loads(file.read_text())["asked"]["draw"] for file in files}


def test_killed_it_goes_on_to_the_undisturbed_cells(tiny_dataset: Path, tmp_path: Path, uri: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run = start(tiny_dataset, killed, uri)
    while len(results(killed)) < 1 or len(draws(killed)) < 2:
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.communicate()
    before = results(killed)
    again = start(tiny_dataset, killed, uri)
    undisturbed(whole, tiny_dataset)
    said, _ = again.communicate(timeout=600)
    assert again.returncode == 0
    assert "search: 1 cells are known, 0 trials are of no cell of it" in said
    assert f"search: best of {CELLS} cells is number" in said
    assert draws(killed) == draws(whole)
    assert len(draws(whole)) == len(SEEDS) * CELLS
    after = results(killed)
    assert {name: after[name] for name in before} == before  # none was trained again
    assert {n: s for n, (_, s) in after.items()} == {n: s for n, (_, s) in results(whole).items()}
    assert len(list(csv.DictReader((killed / "table.csv").open()))) == len(SEEDS) * CELLS
    for name in ("search_history.png", "search_slices.png", "search.journal"):
        assert (killed / name).stat().st_size > 1000
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    sweep_id = json.loads((killed / "sweep.json").read_text())["sweep_id"]
    runs = client.search_runs([experiment.experiment_id], f"tags.`epropnp.sweep_id` = '{sweep_id}'")
    assert [run.info.status for run in runs] == ["FINISHED"] * (len(SEEDS) * CELLS + 1)
