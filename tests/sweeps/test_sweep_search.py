"""A search as a sweep, on real Ray: killed and gone on with, it asks for the same trials, each once.

What a kill leaves is laid out here; that real drivers leave it so is seen in `test_sweep` and by the drills.
"""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console

from epropnp.data.reader import ArrowDataset
from epropnp.training.record import Record
from epropnp.training.trainer import Trainer
from sweeps.folder import open_sweep
from sweeps.running.options import Options
from sweeps.search.domain import Domain
from sweeps.search.ranges import NumberRange
from sweeps.search.searching import Searching
from sweeps.space import Axis
from sweeps.sweep import run
from sweeps.tracking.experiment import EXPERIMENT, open_experiment
from sweeps.trial import read
from tests.sweeps.cells import space, tiny_recipe

CELLS, SEEDS = 2, (0, 1)

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]


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


def killed_in_the_second(whole: Path, folder: Path, dataset: Path) -> None:
    """As a kill leaves such a search: one trial has ended, and one trained."""
    sweep = open_sweep(folder)
    study = searching().study(sweep, {(): ArrowDataset(dataset).dataset_id})
    first = study.ask()
    assert first is not None
    own = sweep.prepare(first)
    shutil.copytree(whole / "trials" / first.name, own, dirs_exist_ok=True)
    study.tell(read(own))
    second = study.ask()
    assert second is not None
    Record(status="running").write(sweep.prepare(second))
    sweep.write()


def results(folder: Path) -> dict[str, tuple[int, object]]:
    """When each trial's result was written, and its scores on validation images."""
    files = folder.glob("trials/*/result.json")
    return {f.parent.name: (f.stat().st_mtime_ns, json.loads(f.read_text())["val_after"]) for f in files}


def draws(folder: Path) -> dict[str, object]:
    files = folder.glob("trials/*/trial.json")
    return {file.parent.name: json.loads(file.read_text())["asked"]["draw"] for file in files}


def test_killed_it_goes_on_to_the_undisturbed_cells(tiny_dataset: Path, tmp_path: Path, uri: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    undisturbed(whole, tiny_dataset)
    killed_in_the_second(whole, killed, tiny_dataset)
    before = results(killed)
    assert (len(before), len(draws(killed))) == (1, 2)
    console = Console(file=io.StringIO(), width=200)
    open_experiment(MlflowClient(uri), tmp_path / "artifacts")  # else files go where the tests run
    how = Options(at_once=1, figures=False)
    again = run(searching(), tiny_dataset, killed, tracking_uri=uri, options=how, console=console)
    assert again.code == 0
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "search: 1 cells are known, 0 trials are of no cell of it" in said
    told = (f"search: best of {CELLS} cells is number", f"search: none is best: all {CELLS} cells")
    assert any(line in said for line in told)
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
