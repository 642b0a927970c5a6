"""The data of a trial: visits, updates, parts, the rest of an epoch after a resume, and what is evaluated."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from epropnp.data.config import AugmentConfig, DetectorNoise
from epropnp.data.dataset import Batch, EpochSampler
from epropnp.data.reader import ArrowDataset, Split
from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from tests.data.sets import ROWS, write_dataset
from tests.training.tiny import tiny

CPU = torch.device("cpu")
PLAIN = AugmentConfig(
    scale_jitter=0.0, shift_jitter=0.0, background_synthetic=0.0, background_real=0.0
)  # nothing is random


def config(*, seed: int = 0, batch: int = 16, parts: int = 1, **data: Any) -> TrialConfig:
    start = tiny(seed=seed)
    return dataclasses.replace(
        start,
        optim=dataclasses.replace(start.optim, batch_size=batch, accumulate=parts),
        data=dataclasses.replace(start.data, **data),
    )


def rows(data: TrialData, epoch: int, start: int = 0) -> list[list[int]]:
    """Rows of the split that each update sees."""
    return [[i for part in parts for i in part.index.tolist()] for parts in data.batches(epoch, start)]


@pytest.fixture(scope="module")
def every_other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """37 training records, every other one a photograph; validation and test are its two shards."""
    folder = write_dataset(tmp_path_factory.mktemp("data") / "set")
    manifest = json.loads((folder / "manifest.json").read_text())
    shards = manifest["splits"]["train"]["shards"]
    for split, shard in zip(("validation", "test"), shards, strict=True):
        own = shard | {"file": f"{split}-00000.arrow"}
        shutil.copy(folder / shard["file"], folder / own["file"])
        manifest["splits"][split] = {"rows": shard["rows"], "shards": [own]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_photographs_are_visited_as_often_as_asked_and_renderings_once(
    every_other: Path, repeats: int
) -> None:
    real = range(1, ROWS, 2)
    visits = ROWS - len(real) + repeats * len(real)
    data = TrialData(config(batch=1, real_repeats=repeats), every_other, CPU)
    assert data.steps == visits
    seen = [row for update in rows(data, 1) for row in update]
    expected = [row for row in range(ROWS) for _ in range(repeats if row in real else 1)]
    assert sorted(seen) == expected
    assert seen != sorted(seen)


def test_two_visits_of_a_photograph_look_different(every_other: Path) -> None:
    data = TrialData(config(batch=1, real_repeats=2), every_other, CPU)
    seen: dict[int, list[float]] = {}
    for (part,) in data.batches(1):
        seen.setdefault(int(part.index), []).append(float(part.side))
    twice = [sides for sides in seen.values() if len(sides) == 2]
    assert len(twice) == len(range(1, ROWS, 2))
    assert all(first != second for first, second in twice)


def pictures(data: TrialData, epoch: int, value: str) -> dict[int, np.ndarray]:
    """One field of each sample of an epoch, by its row."""
    found: dict[int, np.ndarray] = {}
    for parts in data.batches(epoch):
        for part in parts:
            found |= dict(zip(part.index.tolist(), getattr(part, value).numpy(), strict=True))
    return found


AUGMENTED: dict[str, tuple[str, dict[str, Any]]] = {
    "crop": ("side", {"scale_jitter": 0.25}),
    "shift": ("corner", {"shift_jitter": 0.25}),
    "turn": ("T_cam_obj_or_K", {"rotation_deg": 20.0}),
    "background": ("image", {"background_synthetic": 1.0}),
    "occlusion": ("image", {"occlusion": 1.0}),
    "colour": ("image", {"color": 0.4}),
    "noise": ("image", {"noise": 0.1}),
}


@pytest.mark.parametrize("name", sorted(AUGMENTED))
def test_each_augmentation_differs_between_epochs_and_seeds_and_is_repeated_by_them(
    name: str, tiny_dataset: Path
) -> None:
    field, changes = AUGMENTED[name]
    field = "K" if field == "T_cam_obj_or_K" else field  # a turned image has other intrinsics
    augment = dataclasses.replace(PLAIN, **changes)
    data = TrialData(config(augment=augment), tiny_dataset, CPU)
    first, again, second = (pictures(data, epoch, field) for epoch in (1, 1, 2))
    other = pictures(TrialData(config(seed=1, augment=augment), tiny_dataset, CPU), 1, field)
    assert sorted(first) == list(range(64))
    photographs = set(np.flatnonzero(~data.dataset.split("train").column("synthetic")))
    for row, value in first.items():
        assert np.array_equal(value, again[row])
        kept = name == "background" and row in photographs  # which show what was behind the object
        assert np.array_equal(value, second[row]) == kept
        assert np.array_equal(value, other[row]) == kept


def test_jitter_differs_between_samples(tiny_dataset: Path) -> None:
    augment = dataclasses.replace(PLAIN, scale_jitter=0.25)
    data = TrialData(config(augment=augment), tiny_dataset, CPU)
    boxes = [record.box for record in ArrowDataset(tiny_dataset).split("train")]
    factors = [float(side) / (1.5 * boxes[row][2:].max()) for row, side in pictures(data, 1, "side").items()]
    assert len({round(factor, 5) for factor in factors}) == 64
    assert 0.75 <= min(factors) < 0.85
    assert 1.15 < max(factors) <= 1.25


def test_without_augmentation_only_the_order_is_random(tiny_dataset: Path) -> None:
    data = TrialData(config(augment=PLAIN), tiny_dataset, CPU)
    for field in ("image", "side", "coords"):
        first, second = (pictures(data, epoch, field) for epoch in (1, 2))
        assert all(np.array_equal(first[row], second[row]) for row in range(64))
    assert rows(data, 1) != rows(data, 2)


@pytest.mark.parametrize(
    ("batch", "parts", "steps"),
    [(16, 1, 4), (16, 4, 4), (20, 1, 3), (20, 2, 3), (64, 1, 1), (60, 4, 1), (1, 1, 64)],
)
def test_an_epoch_has_as_many_updates_as_whole_batches(
    batch: int, parts: int, steps: int, tiny_dataset: Path
) -> None:
    data = TrialData(config(batch=batch, parts=parts, augment=PLAIN), tiny_dataset, CPU)
    assert data.steps == steps
    updates = list(data.batches(1))
    assert [[len(part.index) for part in update] for update in updates] == [[batch // parts] * parts] * steps
    seen = [row for update in rows(data, 1) for row in update]
    assert len(set(seen)) == batch * steps  # no sample comes twice


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("start", [0, 1, 3, 4])
def test_an_epoch_goes_on_with_the_updates_that_were_left(parts: int, start: int, tiny_dataset: Path) -> None:
    data = TrialData(config(parts=parts), tiny_dataset, CPU)
    whole = list(data.batches(2))
    rest = list(data.batches(2, start))
    assert len(rest) == 4 - start
    for update, same in zip(whole[start:], rest, strict=True):
        for part, same_part in zip(update, same, strict=True):
            assert all(torch.equal(value, getattr(same_part, name)) for name, value in vars(part).items())
    assert len(rows(data, 3)) == 4  # the next epoch is whole again


def test_a_batch_knows_the_names_of_its_samples(tiny_dataset: Path) -> None:
    data = TrialData(config(), tiny_dataset, CPU)
    part: Batch = next(data.batches(1))[0]
    records = ArrowDataset(tiny_dataset).split("train")
    assert data.names(part) == [records[row].sample_id for row in part.index.tolist()]
    for row, pose in zip(part.index.tolist(), part.T_cam_obj, strict=True):
        np.testing.assert_allclose(pose.numpy(), records[row].T_cam_obj, rtol=1e-6)


@pytest.mark.parametrize(("batch", "parts"), [(65, 1), (130, 2)])
def test_a_dataset_smaller_than_a_batch_is_refused(batch: int, parts: int, tiny_dataset: Path) -> None:
    """One smaller batch would do for a single part (and is taken); several parts would differ in weight."""
    if parts == 1:
        assert [len(update) for update in rows(TrialData(config(batch=batch), tiny_dataset, CPU), 1)] == [64]
        return
    with pytest.raises(UserError, match=r"64 training samples are less than one batch of 130"):
        TrialData(config(batch=batch, parts=parts), tiny_dataset, CPU)


def test_evaluation_reads_its_own_split_in_order_and_without_augmentation(tiny_dataset: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    data = TrialData(config(), tiny_dataset, CPU)
    for split in ("validation", "test"):
        crops = data.evaluation(split)
        assert [r.sample_id for r in crops.records] == [r.sample_id for r in dataset.split(split)]
        assert crops.config is None
        for row in (0, 11):
            assert float(crops[7, 3, row].side) == pytest.approx(1.5 * crops.records[row].box[2:].max())


def test_only_the_test_split_is_cut_around_detected_boxes(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Split, "nulls", lambda *_: 0)
    start = config()
    noise = DetectorNoise(scale=0.1, shift=0.2)
    evaluation = dataclasses.replace(start.evaluation, test_boxes="detected", detector=noise)
    data = TrialData(dataclasses.replace(start, evaluation=evaluation), tiny_dataset, CPU)
    boxes = {split: data.evaluation(split).boxes for split in ("validation", "test")}
    assert boxes == {"validation": "true", "test": "detected"}
    assert [data.evaluation(split).noise for split in boxes] == [noise, noise]


@pytest.mark.parametrize(("missing", "boxes"), [(0, "detected"), (1, "true"), (64, "true")])
def test_detected_boxes_are_taken_where_every_test_image_has_one(
    missing: int, boxes: str, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Split, "nulls", lambda split, _: missing if split.name == "test" else 9)
    start = config()
    evaluation = dataclasses.replace(start.evaluation, test_boxes="auto")
    data = TrialData(dataclasses.replace(start, evaluation=evaluation), tiny_dataset, CPU)
    assert data.test_boxes == boxes
    assert data.evaluation("test").boxes == boxes
    assert data.evaluation("validation").boxes == "true"


def test_errors_of_evaluation_boxes_are_of_the_image_and_not_of_the_trial(tiny_dataset: Path) -> None:
    """All networks and seeds are compared on the same boxes."""
    sides: list[list[float]] = []
    for seed in (0, 1):
        start = config(seed=seed)
        evaluation = dataclasses.replace(start.evaluation, detector=DetectorNoise(scale=0.2))
        data = TrialData(dataclasses.replace(start, evaluation=evaluation), tiny_dataset, CPU)
        crops = data.evaluation("test")
        sides.append([float(crops[epoch, 0, row].side) for epoch in (0, 1) for row in range(12)])
    assert sides[0] == sides[1]
    assert sides[0][:12] == sides[0][12:]
    exact = [1.5 * record.box[2:].max() for record in ArrowDataset(tiny_dataset).split("test")]
    factors = [side / whole for side, whole in zip(sides[0], exact, strict=False)]
    assert len({round(factor, 5) for factor in factors}) == 12
    assert all(0.8 <= factor <= 1.2 for factor in factors)


def test_the_sanity_check_trains_and_evaluates_on_the_same_exact_images(tiny_dataset: Path) -> None:
    start = config(batch=4, overfit=6)
    evaluation = dataclasses.replace(start.evaluation, detector=DetectorNoise(scale=0.5, shift=0.5))
    data = TrialData(dataclasses.replace(start, evaluation=evaluation), tiny_dataset, CPU)
    assert data.steps == 20
    visits = [row for update in rows(data, 1) for row in update]
    assert {visits.count(row) for row in range(6)} == {13, 14}  # 80 visits of 6 images
    first = [record.sample_id for record in ArrowDataset(tiny_dataset).split("train")[:6]]
    for split in ("validation", "test"):
        crops = data.evaluation(split)
        assert [record.sample_id for record in crops.records] == first
    (part,) = next(data.batches(1))
    for i, row in enumerate(part.index.tolist()):
        shown = crops[0, 0, row]
        assert torch.equal(part.image[i], shown.image)
        assert torch.equal(part.side[i], shown.side)
        assert float(shown.side) == pytest.approx(1.5 * crops.records[row].box[2:].max())


def test_a_trial_says_which_images_test_it_and_the_sanity_check_has_none(tiny_dataset: Path) -> None:
    assert TrialData(config(batch=4), tiny_dataset, CPU).test_id == ArrowDataset(tiny_dataset).test_id
    assert TrialData(config(batch=4, overfit=6), tiny_dataset, CPU).test_id is None


def test_a_sampler_is_as_long_as_what_it_has_left() -> None:
    sampler = EpochSampler(np.arange(10), seed=0)
    whole = list(sampler)
    sampler.start = 7
    assert len(sampler) == 3
    assert list(sampler) == whole[7:]
