"""What trials scored on validation images, read from real files, and what earlier sweeps know of seeds."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.training.identity import COMPUTES
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.search.objectives import objectives_of
from sweeps.search.search import Planned, setting_key
from sweeps.search.validated import earlier_seeds, images_of
from sweeps.space import Axis
from sweeps.trial import read
from tests.evaluation.known_errors import model, pose, predictions
from tests.sweeps.cells import cells_of

(AREA,) = objectives_of("val/add_area")
DATA = "0123456789ab"
Finish = Callable[..., Planned]


@pytest.fixture
def finish(tmp_path: Path, tiny: Recipe, result: TrialResult) -> Finish:
    """A finished trial of a sweep, by its rate and seed, with a score."""

    def make(
        sweep: str, rate: float, seed: int, area: float, *, data: str = DATA, computes: int = COMPUTES
    ) -> Planned:
        cells = cells_of(tiny, Axis.of("optim.lr", [rate]), backbones=["test_resnet"], seeds=[seed])
        (trial,) = open_sweep(tmp_path / sweep).planned(cells, data)
        folder = open_sweep(tmp_path / sweep).prepare(trial)
        Record(status="finished", computes=computes).write(folder)
        done = dataclasses.replace(result, validation={"add_area": area}, seed=seed)
        (folder / "result.json").write_text(done.to_json())
        return trial

    return make


def test_earlier_seeds_are_those_of_the_same_recipe_and_data(tmp_path: Path, finish: Finish) -> None:
    for seed, area in enumerate([50.0, 52.0, 57.0]):
        finish("one", 1e-3, seed, area)
    finish("two", 1e-3, 2, 57.0)  # the same trial once more
    finish("two", 1e-3, 3, 60.0)
    finish("two", 1e-2, 0, 10.0)  # one seed says nothing of a spread
    finish("three", 3e-3, 0, 20.0, data="ba9876543210")
    finish("three", 3e-3, 1, 21.0, data="ba9876543210")
    finish("two", 1e-4, 0, 30.0, computes=COMPUTES - 1)
    finish("two", 1e-4, 1, 31.0, computes=COMPUTES - 1)
    for seed in (0, 1):
        other = finish("two", 3e-2, seed, 40.0 + seed)
        finish("mine", 3e-4, seed, 70.0)
    found = earlier_seeds(open_sweep(tmp_path / "mine"), AREA, "tiny", DATA)
    assert sorted(map(sorted, found.values())) == [[40.0, 41.0], [50.0, 52.0, 57.0, 60.0]]
    assert sorted(found[setting_key(other.config, DATA)]) == [40.0, 41.0]
    assert earlier_seeds(open_sweep(tmp_path / "mine"), AREA, "quick", DATA) == {}
    (tmp_path / "one" / "trials" / "broken").mkdir()
    (tmp_path / "one" / "trials" / "broken" / "result.json").write_text("{")
    assert len(earlier_seeds(open_sweep(tmp_path / "mine"), AREA, "tiny", DATA)) == 2


def test_images_count_by_their_files(tmp_path: Path, finish: Finish) -> None:
    """Shifts of an object of 10 cm without symmetry: ADD is the shift, and the area ends at 1 cm."""
    trial = finish("mine", 1e-3, 0, 50.0)
    sweep = open_sweep(tmp_path / "mine")
    shifts = [0.0, 0.0025, 0.005, 0.02]
    T_true = np.concatenate([pose()] * 4)
    T_pred = np.concatenate([pose(t=(shift, 0, 1)) for shift in shifts])
    found = dataclasses.replace(predictions(T_pred, T_true), objects={6: model()})
    found.write(sweep.trial_folder(trial.name) / "validation.parquet")
    names, objects, values = images_of(sweep, AREA)(read(sweep.trial_folder(trial.name)))
    assert (names, objects.tolist()) == (["s0", "s1", "s2", "s3"], [6] * 4)
    np.testing.assert_allclose(values, [100, 75, 50, 0], atol=1.0)


def test_without_the_file_it_says_how_to_get_it(tmp_path: Path, finish: Finish) -> None:
    trial = finish("mine", 1e-3, 0, 50.0)
    sweep = open_sweep(tmp_path / "mine")
    with pytest.raises(UserError, match=r"validation.parquet; remove .*result.json to .* --resume --name"):
        images_of(sweep, AREA)(read(sweep.trial_folder(trial.name)))
