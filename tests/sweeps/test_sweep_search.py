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

from sweeps.tracking.experiment import EXPERIMENT

ROOT = Path(__file__).parents[2]
CELLS = 2

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1200)]

SEARCH = f"""
import dataclasses, sys
from pathlib import Path
from rich.console import Console
from sweeps.running.options import Options
from sweeps.search.domain import Domain
from sweeps.search.ranges import searched
from sweeps.search.searching import Searching
from sweeps.space import Axis
from sweeps.sweep import run
from tests.sweeps.cells import space, tiny_recipe

axes = (Axis.of("optim.epochs", [1]), searched("model.head=deconv,direct"))
given = space(tiny_recipe(), *axes, backbones=["test_resnet"], seeds=[0, 1])
domain = Domain(given, [searched("optim.lr=1e-5:1e-2:log")])
options, console = Options(at_once=1), Console(width=200)
searching = Searching(domain=domain, cells={CELLS})
outcome = run(searching, sys.argv[1], Path(sys.argv[2]), options=options, console=console)
sys.exit(outcome.code)
"""


def start(dataset: Path, folder: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", SEARCH, str(dataset), str(folder)]
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


def test_killed_it_goes_on_to_the_undisturbed_cells(tiny_dataset: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "sweep", tmp_path / "killed" / "sweep"
    said, _ = start(tiny_dataset, whole).communicate(timeout=600)
    assert f"search: best of {CELLS} cells is number" in said
    run = start(tiny_dataset, killed)
    while len(results(killed)) < 1 or len(draws(killed)) < 2:
        assert run.poll() is None
        time.sleep(0.02)
    run.kill()
    run.communicate()
    before = results(killed)
    again = start(tiny_dataset, killed)
    said, _ = again.communicate(timeout=600)
    assert again.returncode == 0
    assert "search: 1 cells are known, 0 trials are of no cell of it" in said
    assert draws(killed) == draws(whole)
    assert len(draws(whole)) == 2 * CELLS
    after = results(killed)
    assert {name: after[name] for name in before} == before  # none was trained again
    assert {n: s for n, (_, s) in after.items()} == {n: s for n, (_, s) in results(whole).items()}
    assert len(list(csv.DictReader((killed / "table.csv").open()))) == 2 * CELLS
    for name in ("search_history.png", "search_slices.png", "search.journal"):
        assert (killed / name).stat().st_size > 1000
    client = MlflowClient(f"sqlite:///{killed.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * (2 * CELLS + 1)
