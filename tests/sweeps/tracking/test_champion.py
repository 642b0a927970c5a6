"""Which network of a sweep becomes the champion, and when an earlier one stays."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from mlflow import MlflowClient

from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from epropnp.training.result import TrialResult
from sweeps.folder import Sweep
from sweeps.tracking.champion import crown, crowned, preferred, verdict_of
from sweeps.tracking.place import Place
from sweeps.trial import Trial
from tests.inference.untrained import write_untrained
from tests.sweeps import graded
from tests.sweeps.commands.made import a_sweep, begin

LOST_M, NEAR_M = 0.4, 0.004


def write_validation(file: Path, shift_m: float, names: Sequence[str] | None = None) -> Path:
    """Predictions of ten images, all beside the truth by so much."""
    found = graded.predictions("test_resnet")
    T_pred = found.T_true.copy()
    T_pred[:, 0, 3] += shift_m
    names = found.sample_id if names is None else list(names)
    dataclasses.replace(found, T_pred=T_pred, sample_id=names).write(file)
    return file


def ended(sweep: Sweep, seed: int, result: TrialResult, area: float, shift_m: float) -> Path:
    """The folder of a trial that has finished with that score on validation images."""
    folder = begin(sweep, seed, "finished", area, ended="2026-01-02T03:04:05+00:00")
    mine = dataclasses.replace(result, validation={"add_area": area})
    (folder / "result.json").write_text(mine.to_json())
    write_validation(folder / "validation.parquet", shift_m)
    write_untrained(folder / "best.pt")
    return folder


def trial(
    config: TrialConfig, seed: int, area: float | None, result: TrialResult, dataset: str = "a"
) -> Trial:
    own = None if area is None else dataclasses.replace(result, validation={"add_area": area})
    return Trial(
        name=f"{dataset}-{seed}",
        config=dataclasses.replace(config, seed=seed),
        dataset_id=dataset,
        test_id=None,
        status="failed" if own is None else "finished",
        reason=None,
        history=(),
        result=own,
        record=None,
        missing=None,
    )


def test_the_best_mean_and_of_its_seeds_the_best(tmp_path: Path, result: TrialResult) -> None:
    sweep = a_sweep(tmp_path, "mine")
    begin(sweep, 0, "waiting", 1)
    (config,) = (each.config for each in sweep.trials())
    one = [trial(config, seed, area, result, "a") for seed, area in ((0, 90.0), (1, 10.0))]
    two = [trial(config, seed, area, result, "b") for seed, area in ((0, 60.0), (1, 61.0))]
    lone = [trial(config, seed, area, result, "c") for seed, area in ((0, 99.0), (1, None))]
    found = preferred([*one, *two, *lone])
    assert found is not None
    assert found.name == "b-1"
    lacking = preferred([*lone, trial(config, 0, None, result, "d")])
    assert lacking is not None
    assert lacking.name == "c-0"
    assert preferred([trial(config, 0, None, result)]) is None
    zeros = [trial(config, 0, 0.0, result, name) for name in "abc"]
    with pytest.raises(UserError, match=r"^all 3 settings score the same on validation$"):
        preferred(zeros)
    alone = preferred(zeros[:1])
    assert alone is not None
    assert alone.name == "a-0"


def test_verdicts_are_of_the_same_images(tmp_path: Path) -> None:
    near = write_validation(tmp_path / "near.parquet", NEAR_M)
    lost = write_validation(tmp_path / "lost.parquet", LOST_M)
    assert verdict_of(lost, near) == "worse"
    assert verdict_of(near, lost) == "best"
    other = write_validation(tmp_path / "other.parquet", LOST_M, [f"other-{i}" for i in range(10)])
    assert verdict_of(other, near) is None


@pytest.mark.slow
def test_a_champion_stays_where_the_new_one_is_worse(uri: str, tmp_path: Path, result: TrialResult) -> None:
    place, client = Place(uri=uri, artifacts=tmp_path / "artifacts"), MlflowClient(uri)
    first = a_sweep(tmp_path, "good", count=2)
    with pytest.raises(UserError, match="sweep good: no trial has finished, none is registered"):
        crown(first, place)
    ended(first, 0, result, 40.0, NEAR_M)
    name = ended(first, 1, result, 60.0, NEAR_M).name
    assert crown(first, place, "cats") == f"{name} is models:/cats/1, the new models:/cats@champion"
    assert crown(first, place, "cats") == f"{name} is models:/cats/1, the champion as before"
    version = client.get_model_version_by_alias("cats", "champion")
    listed = client.get_logged_model(
        version.source.removeprefix("models:/")
    )  # what the UI's list of models shows
    assert json.loads(listed.tags["mlflow.modelVersions"]) == [{"name": "cats", "version": "1"}]
    assert listed.name == name.replace(".", "_")
    assert client.get_run(version.run_id).info.run_name == name

    worse = a_sweep(tmp_path, "worse", count=1)
    folder = ended(worse, 0, result, 5.0, LOST_M)
    told = crown(worse, place, "cats")
    assert told.startswith(f"{folder.name} is models:/cats/2; models:/cats@champion stays version 1: ")
    assert str(client.get_model_version_by_alias("cats", "champion").version) == "1"

    write_validation(folder / "validation.parquet", NEAR_M)
    assert crown(worse, place, "cats") == f"{folder.name} is models:/cats/2, the new models:/cats@champion"
    (folder / "best.pt").unlink()
    with pytest.raises(UserError, match=r"its best\.pt is not kept: see --keep"):
        crown(worse, place)
    assert crowned(worse, place).startswith(
        f"no model is registered: {folder.name} is the best by validation"
    )
