"""What a draw depends on, and what it does not: seed, epoch, position, index; the order of an epoch."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.data.augment import box_crop
from epropnp.data.config import AugmentConfig, DetectorNoise
from epropnp.data.dataset import CropDataset, EpochSampler
from epropnp.data.loader import TrainingLoader
from epropnp.data.reader import ArrowDataset
from tests.data.sets import make_record, write_dataset

JITTER = AugmentConfig(rotation_deg=20)

# Nothing is random but what hides the object: always parts of other crops.
BEHIND_CROPS = AugmentConfig(
    background_synthetic=0,
    background_real=0,
    scale_jitter=0,
    shift_jitter=0,
    occlusion=1,
    occluder_crops=1,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ArrowDataset:
    """Twenty records of one size, each of a grey level of its own."""
    records = [make_record(i, 96) for i in range(20)]
    grey = [np.full((96, 96, 3), 10 * i + 20, np.uint8) for i in range(20)]
    box = np.array([20, 20, 40, 40], np.float32)
    records = [
        dataclasses.replace(
            record,
            rgb=rgb,
            box=box,
            crop_origin=np.zeros(2, np.int32),
            map_origin=np.array([20, 20], np.int32),
        )
        for record, rgb in zip(records, grey, strict=True)
    ]
    return ArrowDataset(write_dataset(tmp_path_factory.mktemp("draws") / "set", records))


def crops(dataset: ArrowDataset, config: AugmentConfig | None = JITTER, **options: object) -> CropDataset:
    return CropDataset(dataset, "train", input_px=32, map_px=8, config=config, **options)  # type: ignore[arg-type]


def place(data: CropDataset, draw: tuple[int, int, int]) -> tuple[float, ...]:
    sample = data[draw]
    return (*sample.corner.tolist(), float(sample.side), *sample.K.flatten().tolist())


def test_jitter_depends_on_seed_epoch_and_position_each_by_itself_and_not_on_the_index(
    dataset: ArrowDataset,
) -> None:
    """The records share their box: only the draw can move the crop."""
    same = {"first": (0, 0, 0), "epoch": (1, 0, 0), "position": (0, 1, 0), "both": (1, 1, 0)}
    corners = {name: place(crops(dataset), draw)[:3] for name, draw in same.items()}
    corners["seed"] = place(crops(dataset, seed=1), (0, 0, 0))[:3]
    assert len(set(corners.values())) == 5
    assert place(crops(dataset), (0, 0, 5))[:3] == corners["first"]
    assert place(crops(dataset), (0, 0, 0))[:3] == corners["first"]


def test_errors_of_a_detector_depend_on_the_index_alone(dataset: ArrowDataset) -> None:
    """Scale and shift within their own ranges: here of the scale, a tenth; of the place, half of the box."""
    data = crops(dataset, None, noise=DetectorNoise(scale=0.1, shift=0.5))
    first = [place(data, (0, 0, i))[:3] for i in range(20)]
    assert len(set(first)) == 20
    assert [place(data, (3, 9, i))[:3] for i in range(20)] == first
    corner, side = np.array(first)[:, :2], np.array(first)[:, 2]
    assert 0.06 < np.abs(side / 60 - 1).max() <= 0.1
    shift = corner + side[:, None] / 2 - (39.5, 39.5)
    assert 15 < np.abs(shift).max() <= 20


def test_a_detectors_errors_and_boxes_are_for_evaluation_alone(dataset: ArrowDataset) -> None:
    still = dataclasses.replace(JITTER, scale_jitter=0, shift_jitter=0, rotation_deg=0)
    sample = crops(dataset, still, noise=DetectorNoise(scale=0.1, shift=0.5))[0, 0, 1]
    crop = box_crop(np.array([20, 20, 40, 40]))
    assert (sample.corner.tolist(), float(sample.side)) == (crop.corner.tolist(), crop.side)


def test_the_order_of_an_epoch_depends_on_seed_and_epoch_each_by_itself() -> None:
    rows = np.arange(100)
    orders = []
    for seed, epoch in ((0, 0), (1, 0), (0, 1), (1, 1)):
        sampler = EpochSampler(rows, seed=seed)
        sampler.epoch = epoch
        draws = list(sampler)
        assert {number for number, _, _ in draws} == {epoch}
        orders.append(tuple(index for _, _, index in draws))
        assert sorted(orders[-1]) == list(range(100))
    assert len(set(orders)) == 4
    assert all(order != tuple(range(100)) for order in orders)


def test_an_epoch_goes_on_in_its_midst_with_what_was_left() -> None:
    sampler = EpochSampler(np.arange(7, 27), seed=4)
    sampler.epoch = 2
    whole = list(sampler)
    sampler.start = 13
    assert len(sampler) == 7
    assert list(sampler) == whole[13:]
    assert [position for _, position, _ in sampler] == list(range(13, 20))


@pytest.mark.parametrize(("rows", "batches"), [(8, [8]), (9, [8]), (16, [8, 8]), (23, [8, 8]), (5, [5])])
def test_batches_are_whole_unless_there_is_less_than_one(
    dataset: ArrowDataset, rows: int, batches: list[int]
) -> None:
    indices = np.resize(np.arange(20), rows)
    loader = TrainingLoader(crops(dataset), EpochSampler(indices, seed=0), 8, workers=0, pin=False)
    assert [len(batch.index) for batch in loader] == batches


def test_backgrounds_and_occluding_crops_are_drawn_among_all(dataset: ArrowDataset) -> None:
    """The three backgrounds have the levels 0, 1 and 2, the crops 20, 30, ..."""
    config = AugmentConfig(background_synthetic=1.0, background_real=1.0)
    batch = crops(dataset, config).__getitems__([(0, i, 0) for i in range(60)])
    levels = batch.image[:, 0, 0, 0].tolist()
    assert {level: levels.count(level) > 8 for level in (0, 1, 2)} == {0: True, 1: True, 2: True}
    batch = crops(dataset, BEHIND_CROPS).__getitems__([(0, i, 0) for i in range(150)])
    seen = set(np.unique(batch.image.numpy()).tolist()) - {20}
    assert len(seen & {10 * i + 20 for i in range(1, 20)}) > 15


def test_an_occluding_crop_shows_the_middle_of_its_picture(tmp_path: Path) -> None:
    """Half of the sides, where the object is: a rim that is another colour is never shown."""
    records = []
    for i in range(4):
        rgb = np.full((96, 96, 3), 200, np.uint8)
        rgb[24:-24, 24:-24] = 50
        box = np.array([38, 38, 20, 20], np.float32)
        change: dict[str, Any] = {"rgb": rgb, "box": box, "crop_origin": np.zeros(2, np.int32)}
        records.append(
            dataclasses.replace(make_record(i, 96), map_origin=np.array([38, 38], np.int32), **change)
        )
    dataset = ArrowDataset(write_dataset(tmp_path / "rims", records))
    batch = crops(dataset, BEHIND_CROPS).__getitems__([(0, i, i % 4) for i in range(60)])
    assert (batch.image == 50).all()  # the crop itself lies within the middle, too


def test_the_first_records_are_taken_where_only_those_are_asked_for(dataset: ArrowDataset) -> None:
    data = crops(dataset, None, first=3)
    assert len(data) == 3
    assert data[0, 0, 2].image[0, 0].tolist() == [40, 40, 40]
    assert len(crops(dataset, None, first=99)) == 20
