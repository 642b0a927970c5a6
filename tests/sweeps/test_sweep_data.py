"""A sweep over settings of its data: real builds, real Ray, a real database."""

import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from mlflow import MlflowClient

from epropnp.errors import UserError
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record
from epropnp.training.trainer import Trainer
from sweeps.datasets import built
from sweeps.flags import SweepConfig
from sweeps.folder import open_sweep
from sweeps.running.job import _unchecked
from sweeps.running.options import Options
from sweeps.running.outcome import Outcome
from sweeps.space import Axis, Cell
from sweeps.sweep import run
from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.trial_words import params_of
from tests.sweeps.cells import cells_of

COARSE = ["build.mesh_resolution=24", "build.background_count=4"]
BATCH, EPOCHS = 4, 2  # of the tiny recipe
ADDED = {
    "calibration.png",
    "latency.json",
    "predictions.png",
}  # by a sweep to a trial that is finished

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for datasets."""
    return tmp_path_factory.mktemp("data")


def cells(tiny: Recipe, *axes: Axis) -> list[Cell]:
    return cells_of(tiny, *axes, settings=COARSE, backbones=["test_resnet"])


def places(root: Path, tiny: Recipe, cells: Sequence[Cell]) -> dict[tuple[str, ...], str]:
    return dict(built(SweepConfig(datasets=root), tiny, cells))


def rows_of(place: str, split: str) -> int:
    """As the shards hold them."""
    count = 0
    for file in Path(place).glob(f"{split}-*.arrow"):
        with pa.memory_map(str(file)) as source:
            count += pa.ipc.open_file(source).read_all().num_rows
    return count


def updates_of(folder: Path) -> int:
    """As the optimiser counted them."""
    state = torch.load(folder / "checkpoint.pt", weights_only=False)["updates"]["optimiser"]["state"]
    return int(state[0]["step"])


def noted(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def trained(folder: Path, cells: Sequence[Cell], found: dict[tuple[str, ...], str]) -> Outcome:
    return run(cells, found, folder, options=Options(at_once=1, check=False, figures=False))


def alone(folder: Path, cells: Sequence[Cell], found: dict[tuple[str, ...], str]) -> Path:
    """The folder of a sweep's only trial, trained in this process: to start Ray takes long."""
    sweep = open_sweep(folder)
    place = {build: Path(each) for build, each in found.items()}
    (planned,) = sweep.planned(cells, {build: each.name for build, each in place.items()})
    own = sweep.prepare(planned)
    Trainer(planned.config, place[planned.build], own, "cpu").fit()
    sweep.write()
    return own


def test_two_numbers_of_renderings_are_two_datasets_with_one_test(
    empty_database: Callable[[Path], Path],
    tiny: Recipe,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = empty_database(tmp_path / "runs") / "sizes"
    first = cells(tiny, Axis.of("build.train", [8]))
    own = alone(folder, first, places(root, tiny, first))
    before = {file.name: file.read_bytes() for file in own.iterdir() if file.is_file()}

    wider = cells(tiny, Axis.of("build.train", [8, 16]))
    found = places(root, tiny, wider)
    outcome = trained(folder, wider, found)  # resumed, with one value more
    assert outcome.code == 0
    assert {name: (own / name).read_bytes() for name in before} == before
    assert {file.name for file in own.iterdir() if file.is_file()} - before.keys() == ADDED
    names = [row.name for row in outcome.report.rows]
    assert names[0] == own.name
    assert sorted(path.name for path in (folder / "trials").iterdir()) == sorted(names)

    tests, ids = set(), []
    for name, cell, count in zip(names, wider, (8, 16), strict=True):
        trial, place = folder / "trials" / name, found[cell.build]
        assert rows_of(place, "train") == count
        assert (rows_of(place, "validation"), rows_of(place, "test")) == (tiny.validation, tiny.test)
        assert updates_of(trial) == EPOCHS * count // BATCH
        assert noted(trial, "trial.json")["build"] == [*sorted(COARSE), f"build.train={count}"]
        assert noted(trial, "trial.json")["dataset_id"] == Path(place).name
        ids.append(noted(trial, "status.json")["dataset_id"])
        tests.add(noted(trial, "status.json")["test_id"])
        assert (trial / "predictions.png").is_file()
    assert ids == [Path(found[cell.build]).name for cell in wider]
    assert len(set(ids)) == 2
    assert len(tests) == 1

    table = list(csv.DictReader((folder / "table.csv").open()))
    assert [(row["trial"], row["build.train"], row["dataset"]) for row in table] == [
        (name, count, dataset_id) for name, count, dataset_id in zip(names, ["8", "16"], ids, strict=True)
    ]
    assert "build.background_count" not in table[0]
    assert outcome.report.summary is not None
    assert set(outcome.report.summary.settings) == {"build.train 8", "build.train 16"}
    _check_params(folder, dict(zip(names, wider, strict=True)))


def _check_params(folder: Path, wanted: dict[str, Cell]) -> None:
    client = MlflowClient(f"sqlite:///{folder.parent / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = {each.info.run_name: each for each in client.search_runs([experiment.experiment_id])}
    for name, cell in wanted.items():
        count = cell.build[-1].removeprefix("build.train=")
        found = runs[name].data.params
        params = params_of(cell.config, cell.build, varied=["build.train"])
        assert found == {key: str(value) for key, value in params.items()}
        assert {key: text for key, text in found.items() if key.startswith("build.")} == {
            "build.train": count
        }


def test_first_updates_are_tried_once_on_each_dataset(tiny: Recipe, tmp_path: Path) -> None:
    asked = cells(tiny, Axis.of("build.train", [8, 16]), Axis.of("seed", [0, 1]))
    sweep = open_sweep(tmp_path / "sizes")
    planned = sweep.planned(asked, {cell.build: cell.build[-1] for cell in asked})
    assert _unchecked(planned, {}) == planned[::2]
    Record(status="waiting").write(sweep.prepare(planned[1]))
    begun = {trial.name: trial for trial in sweep.trials()}
    assert _unchecked(planned, begun) == [planned[2]]
    found = begun[planned[1].name]
    diverged = Record(status="failed", failure="diverged")
    for record, unchecked in ((diverged, [planned[2]]), (Record(status="failed"), planned[::2])):
        failed = {planned[0].name: dataclasses.replace(found, status="failed", record=record)}
        assert _unchecked(planned, failed) == unchecked


def test_settings_that_change_the_test_are_named_before_anything_is_trained(
    tiny: Recipe, root: Path, tmp_path: Path
) -> None:
    distances = Axis.of("build.distance", [(0.5, 0.6), (0.9, 1.0)])  # of renderings that test, too
    asked = cells(tiny, distances)
    with pytest.raises(UserError, match=r"^build\.distance changed which images are tested"):
        trained(tmp_path / "far", asked, places(root, tiny, asked))
    assert not open_sweep(tmp_path / "far").folder.exists()
