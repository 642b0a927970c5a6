"""Folders and databases of an older version, in `before/`: read, listed, scored again, gone on with.

They were made by the last version whose trials wrote no `status.json`: two tiny networks, one epoch.
"""

import dataclasses
import json
import lzma
import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from epropnp import evaluate
from epropnp.command_line import parse
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import score
from epropnp.training.recipes import RECIPES
from sweeps.axes import space_of
from sweeps.flags import DESCRIPTION, SweepConfig
from sweeps.folder import open_sweep
from sweeps.search.grid import Grid
from sweeps.space import plan
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.listener import Tracking
from sweeps.tracking.mlflow_runs import MlflowRuns
from sweeps.tracking.run_index import PARENT_TAG
from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import facts_of
from sweeps.trial import read

BEFORE = Path(__file__).parent / "before"
TRIALS = sorted((BEFORE / "trials").iterdir())
NAMES = ["test_resnet-deconv-mc0.05-seed0", "test_convnext-deconv-mc0.05-seed0"]  # in the order of the plan
DATASET = "563173380a4e"


@pytest.mark.parametrize("folder", TRIALS, ids=lambda folder: folder.name)
def test_a_trial_is_read_and_scored_again(folder: Path, tmp_path: Path) -> None:
    trial = read(folder)
    assert (trial.status, trial.reason, trial.record, trial.test_id) == ("finished", None, None, None)
    assert trial.missing is not None
    assert trial.missing.startswith(f"{folder.name}: no status.json")
    assert trial.config.model.backbone == folder.name.partition("-")[0]
    assert trial.config.model.head_width == 8
    assert trial.result is not None
    predictions = Predictions.read(folder / "predictions.parquet")
    again = score(predictions, predictions.objects)
    assert again == pytest.approx(trial.result.test, abs=1e-6)
    copy = shutil.copy(folder / "predictions.parquet", tmp_path)  # their errors are kept beside them
    assert evaluate.main([str(copy), "--output", str(tmp_path / "scores")]) == 0


def test_a_sweep_is_gone_on_with_and_widened_and_its_trials_keep_their_names() -> None:
    sweep = open_sweep(BEFORE)
    (words,) = sweep.commands
    first = parse(SweepConfig, DESCRIPTION, words, "sweep")
    recipes = {"quick": dataclasses.replace(RECIPES["quick"], loss_weights=(0.05,))}  # as it was then
    planned = sweep.planned(plan(space_of([first], recipes)).cells, DATASET)
    assert [trial.name for trial in planned] == NAMES
    search = Grid(planned)
    for trial in sweep.trials():
        search.tell(trial)
    assert search.done
    wider = plan(space_of([first, SweepConfig(resume=True, seeds=(1,))], recipes)).cells
    found = [trial.name for trial in sweep.planned(wider, DATASET)]
    assert len(set(found)) == len(found) == 4
    assert [name for name in found if name in NAMES] == NAMES


def unpacked(folder: Path) -> str:
    """Address of the database."""
    database = folder / "mlflow.db"
    database.write_bytes(lzma.decompress((BEFORE / "tracking.db.xz").read_bytes()))
    return f"sqlite:///{database}"


def listed(uri: str) -> dict[str, Run]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    return {str(run.info.run_name): run for run in client.search_runs([experiment.experiment_id])}


def test_the_database_lists_the_sweep_and_its_trials(tmp_path: Path) -> None:
    runs = listed(unpacked(tmp_path))
    assert set(runs) == {"before", *(folder.name for folder in TRIALS)}
    for folder in TRIALS:
        run, result = runs[folder.name], json.loads((folder / "result.json").read_text())
        assert run.data.tags[PARENT_TAG] == runs["before"].info.run_id
        assert run.info.status == "FINISHED"
        for name, value in result["test"].items():
            assert run.data.metrics[f"test/{name}"] == pytest.approx(value)


def test_what_the_database_has_is_found_and_not_stored_again(tmp_path: Path) -> None:
    uri, sweep = unpacked(tmp_path), open_sweep(BEFORE)
    before = listed(uri)
    runs = MlflowRuns(
        uri=uri,
        sweep_id=sweep.sweep_id,
        sweep_name=sweep.name,
        root=tmp_path,
        artifacts=None,
        facts=facts_of(sweep.trial_folder, BEFORE),
    )
    tracker = Tracker(runs, tmp_path / "spool.jsonl")
    tracking = Tracking(tracker, lambda name: tmp_path / name)  # without files: these are newer
    for trial in sweep.trials():
        tracking.ended(trial)
    assert tracker.close(60.0)
    after = listed(uri)
    assert after.keys() == before.keys()
    for name, run in after.items():  # which is told more of itself, and nothing else
        assert dict(run.info) == dict(before[name].info)
        assert run.data.metrics == before[name].data.metrics
        assert run.data.params == before[name].data.params
        assert before[name].data.tags.items() <= run.data.tags.items()
