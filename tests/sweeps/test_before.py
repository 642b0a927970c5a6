"""Folders and databases of an older version, in `before/`: read, listed, scored again.

They were made by the last version whose trials wrote no `status.json`: two tiny networks, one epoch.
"""

import json
import lzma
from pathlib import Path

import pytest
from mlflow import MlflowClient

from epropnp import evaluate
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import score
from sweeps.tracking.tracker import EXPERIMENT, PARENT_TAG
from sweeps.trial import read

BEFORE = Path(__file__).parent / "before"
TRIALS = sorted((BEFORE / "trials").iterdir())


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
    assert evaluate.main([str(folder / "predictions.parquet"), "--output", str(tmp_path)]) == 0


def test_the_database_lists_the_sweep_and_its_trials(tmp_path: Path) -> None:
    database = tmp_path / "mlflow.db"
    database.write_bytes(lzma.decompress((BEFORE / "tracking.db.xz").read_bytes()))
    client = MlflowClient(f"sqlite:///{database}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"before", *(folder.name for folder in TRIALS)}
    for folder in TRIALS:
        run, result = runs[folder.name], json.loads((folder / "result.json").read_text())
        assert run.data.tags[PARENT_TAG] == runs["before"].info.run_id
        assert run.info.status == "FINISHED"
        for name, value in result["test"].items():
            assert run.data.metrics[f"test/{name}"] == pytest.approx(value)
