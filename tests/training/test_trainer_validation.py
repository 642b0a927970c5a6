"""What is validated on: some images of each object after every epoch, and all of them once, at the end."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.data.config import DetectorNoise
from epropnp.data.reader import ArrowDataset
from epropnp.data.writer import file_digest, write_records
from epropnp.evaluation.predictions import Predictions
from epropnp.training import data as data_module
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.halt import InterruptionError
from epropnp.training.result import EpochReport, TrialResult
from epropnp.training.trainer import Trainer
from tests.training.mixed_records import mixed_dataset
from tests.training.observables import NearlyTrue
from tests.training.test_trainer_mixed_objects import closest_mean_m
from tests.training.tiny import tiny, with_optim

CAT, EGGBOX = 6, 10
CATS, EGGBOXES = 250, 100  # validation images: more than an epoch is scored on, and exactly as many


@pytest.fixture(scope="module")
def many(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose validation records come as runs of cats between eggboxes."""
    source = ArrowDataset(tiny_dataset)
    folder = mixed_dataset(tmp_path_factory.mktemp("many") / "set", source)
    of_object = {record.object_id: record for record in source.split("validation")}
    order = np.random.default_rng(0).permutation([CAT] * CATS + [EGGBOX] * EGGBOXES).tolist()
    file = folder / "validation-00000.arrow"
    records = [
        dataclasses.replace(of_object[each], sample_id=f"{i:03d}", synthetic=i % 2 == 0)
        for i, each in enumerate(order)
    ]
    rows = write_records(file, records)
    manifest = json.loads((folder / "manifest.json").read_text())
    shard = {"file": file.name, "rows": rows, **file_digest(file)}
    manifest["splits"]["validation"] = {"rows": rows, "shards": [shard]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def trial(**evaluation: object) -> TrialConfig:
    start = tiny()
    start = dataclasses.replace(start, optim=dataclasses.replace(start.optim, batch_size=4))
    return dataclasses.replace(
        start,
        evaluation=dataclasses.replace(start.evaluation, **evaluation),  # type: ignore[arg-type]
    )


def test_an_epoch_is_scored_on_a_hundred_images_of_each_object_evenly_spread(many: Path) -> None:
    data = TrialData(trial(), many, torch.device("cpu"))
    every, some = data.evaluation("validation").records, data.epoch_images().records
    assert len(every) == CATS + EGGBOXES
    assert Counter(record.object_id for record in some) == {CAT: 100, EGGBOX: 100}
    chosen = [record.sample_id for record in some]
    assert chosen == sorted(chosen)  # in the order of the split
    cats = [record.sample_id for record in every if record.object_id == CAT]
    assert [name for name in chosen if name in cats] == [cats[i * 5 // 2] for i in range(100)]  # 0, 2, 5, 7
    # Columns are those of the same records.
    assert some.column("sample_id").tolist() == chosen
    assert some.column("object_id").tolist() == [record.object_id for record in some]
    assert some.nulls("detected_box") == sum(record.detected_box is None for record in some)


def test_an_image_is_cut_out_alike_after_an_epoch_and_at_the_end(many: Path) -> None:
    noise = DetectorNoise(scale=0.2, shift=0.2)
    data = TrialData(trial(detector=noise), many, torch.device("cpu"))
    every, some = data.evaluation("validation"), data.epoch_images()
    places = {name: i for i, name in enumerate(every.records.column("sample_id").tolist())}
    for i, name in list(enumerate(some.records.column("sample_id").tolist()))[::20]:
        assert torch.equal(some[0, i, i].corner, every[0, places[name], places[name]].corner), name


def test_fewer_images_of_an_object_are_all_used(tiny_dataset: Path) -> None:
    data = TrialData(tiny(), tiny_dataset, torch.device("cpu"))
    every, some = data.evaluation("validation").records, data.epoch_images().records
    assert [record.sample_id for record in some] == [record.sample_id for record in every]


def test_the_sanity_check_scores_its_epochs_on_its_training_images(tiny_dataset: Path) -> None:
    config = dataclasses.replace(trial(), data=dataclasses.replace(trial().data, overfit=6))
    data = TrialData(config, tiny_dataset, torch.device("cpu"))
    first = ArrowDataset(tiny_dataset).split("train")[:6]
    assert [r.sample_id for r in data.epoch_images().records] == [r.sample_id for r in first]


@pytest.fixture(scope="module")
def finished(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialResult, Path, int]:
    """A trial whose epochs are scored on two images of each object, and how many these were."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data_module, "EPOCH_IMAGES", 2)
        trainer = Trainer(with_optim(epochs=1), tiny_dataset, folder, "cpu")
        return trainer.fit(), folder, len(trainer.data.epoch_images())


def test_all_validation_images_are_predicted_once_more_by_the_best_weights(
    finished: tuple[TrialResult, Path, int], tiny_dataset: Path
) -> None:
    _, folder, seen = finished
    assert seen == 4
    found, split = (
        Predictions.read(folder / "validation.parquet"),
        ArrowDataset(tiny_dataset).split("validation"),
    )
    assert found.sample_id == [record.sample_id for record in split]
    np.testing.assert_array_equal(found.T_true, [record.T_cam_obj for record in split])
    assert found.posterior is None  # only those of the test split are sampled
    assert Predictions.read(folder / "predictions.parquet").posterior is not None


def test_the_scores_of_validation_are_those_of_all_its_images(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors by the definition, from the saved poses alone, of a network that is nearly right."""
    monkeypatch.setattr(data_module, "EPOCH_IMAGES", 2)
    trainer = Trainer(with_optim(epochs=0), tiny_dataset, tmp_path, "cpu")
    monkeypatch.setattr(trainer.updates, "net", NearlyTrue(trainer.data))
    result = trainer.fit()
    found = Predictions.read(tmp_path / "validation.parquet")
    objects = ArrowDataset(tiny_dataset).objects
    errors_d = {CAT: [], EGGBOX: []}  # type: dict[int, list[float]]
    shifts_m = {CAT: [], EGGBOX: []}  # type: dict[int, list[float]]
    for key, T_pred, T_true in zip(found.object_id.tolist(), found.T_pred, found.T_true, strict=True):
        model = objects[key]
        error_m = closest_mean_m(T_pred, T_true, model.points.astype(float), model.symmetric)
        errors_d[key].append(error_m / model.diameter_m)
        shifts_m[key].append(error_m)
    assert [len(each) for each in errors_d.values()] == [6, 6]
    for part in (0.02, 0.05, 0.10):
        own = [100 * np.mean(np.array(each) < part) for each in errors_d.values()]
        assert result.validation[f"add_{part:.2f}d"] == pytest.approx(np.mean(own)), part
    own = [100 * np.mean((1 - np.array(each) / 0.1).clip(0)) for each in shifts_m.values()]
    assert result.validation["add_auc_10cm"] == pytest.approx(np.mean(own), abs=0.1)  # a sum of many steps
    assert 0 < result.validation["add_0.02d"] < result.validation["add_0.10d"] < 100  # it can tell
    assert result.validation.keys() == result.val_after.keys()
    assert result.validation["add_auc_10cm"] != result.val_after["add_auc_10cm"]


VALIDATED = {"validation.parquet", "validation.errors.parquet"}


class Interrupts(Callback):
    """Ends a training at an evaluated batch after its last epoch, counted from 1."""

    def __init__(self, batch: int) -> None:
        self.left, self.last = batch, False

    def on_epoch(self, report: EpochReport) -> None:
        self.last = report.epoch == report.epochs

    def on_scored(self) -> None:
        self.left -= self.last
        if not self.left:
            raise InterruptionError("as the node's time is up")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("batch", "there"),
    [(1, set()), (2, VALIDATED), (3, VALIDATED)],
    ids=["validation", "temperatures", "test"],
)
def test_the_end_of_a_trial_can_be_interrupted_in_each_of_its_parts(
    batch: int,
    there: set[str],
    finished: tuple[TrialResult, Path, int],
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data_module, "EPOCH_IMAGES", 2)
    with pytest.raises(InterruptionError):
        Trainer(with_optim(epochs=1), tiny_dataset, tmp_path, "cpu").fit([Interrupts(batch)])
    assert {file.name for file in tmp_path.glob("*.parquet")} == there
    result = Trainer(with_optim(epochs=1), tiny_dataset, tmp_path, "cpu").fit()
    assert result == dataclasses.replace(finished[0], seconds=result.seconds)
