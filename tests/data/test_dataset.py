"""Batches depend on (seed, epoch, position) alone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.data.config import AugmentConfig
from epropnp.data.dataset import Batch, CropDataset, EpochSampler
from epropnp.data.loader import TrainingLoader, evaluation_loader
from epropnp.data.reader import ArrowDataset
from tests.data.augmentations import STRONG

BATCH = 16  # four of them make an epoch


def batch_hashes(path: Path, seed: int, epoch: int, workers: int = 0, start: int = 0) -> list[str]:
    """SHA-256 of every batch of one epoch, from the sample number `start` on."""
    data = CropDataset(ArrowDataset(path), "train", input_px=64, map_px=16, config=STRONG, seed=seed)
    sampler = EpochSampler(np.arange(len(data)), seed=seed)
    loader = TrainingLoader(data, sampler, BATCH, workers=workers, pin=False)
    sampler.epoch, sampler.start = epoch, start
    hashes = []
    for batch in loader:
        content = b"".join(v.numpy().tobytes() for v in vars(batch).values())
        hashes.append(hashlib.sha256(content).hexdigest())
    return hashes


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_batches_are_the_same_for_any_number_of_workers(tiny_dataset: Path, workers: int) -> None:
    alone = batch_hashes(tiny_dataset, 0, 1)
    assert len(set(alone)) == 4
    assert batch_hashes(tiny_dataset, 0, 1, workers) == alone
    # After a resume in the midst of the epoch, with another number of workers.
    assert batch_hashes(tiny_dataset, 0, 1, workers % 4, start=2 * BATCH) == alone[2:]


def test_the_next_epoch_begins_at_its_start_again(tiny_dataset: Path) -> None:
    data = CropDataset(ArrowDataset(tiny_dataset), "train", input_px=64, map_px=16, config=AugmentConfig())
    sampler = EpochSampler(np.arange(len(data)), seed=0)
    loader = TrainingLoader(data, sampler, BATCH, workers=0, pin=False)
    sampler.epoch, sampler.start = 3, 3 * BATCH
    resumed = [batch.index.tolist() for batch in loader]
    sampler.epoch, sampler.start = 4, 0
    following = [batch.index.tolist() for batch in loader]
    assert (len(resumed), len(following), len(loader)) == (1, 4, 4)
    assert sorted(index for batch in following for index in batch) == list(range(64))


@pytest.mark.parametrize(("seed", "epoch"), [(1, 1), (0, 2)])
def test_seed_and_epoch_change_every_batch(tiny_dataset: Path, seed: int, epoch: int) -> None:
    first = batch_hashes(tiny_dataset, 0, 1)
    assert not set(first) & set(batch_hashes(tiny_dataset, seed, epoch))


def test_an_epoch_visits_every_sample_as_often_as_it_stands() -> None:
    draws = list(EpochSampler(np.repeat(np.arange(50), 2), seed=3))
    assert sorted(index for _, _, index in draws) == sorted(2 * list(range(50)))
    assert [position for _, position, _ in draws] == list(range(100))


def test_a_sample_is_a_row_of_its_batch(tiny_dataset: Path) -> None:
    data = CropDataset(ArrowDataset(tiny_dataset), "test", input_px=64, map_px=16)
    batches = list(evaluation_loader(data, 8))
    assert [len(batch.index) for batch in batches] == [8, 4]
    for name, value in vars(data[0, 9, 9]).items():
        assert torch.equal(value, getattr(batches[1], name)[1]), name


def test_points_lie_at_the_cells_centres_row_by_row() -> None:
    batch = Batch(
        image=torch.zeros(1, 16, 16, 3),
        coords=torch.zeros(1, 3, 4, 4),
        mask=torch.zeros(1, 4, 4, dtype=torch.bool),
        K=torch.eye(3)[None],
        T_cam_obj=torch.eye(4)[None],
        corner=torch.tensor([[10.0, 20.0]]),
        side=torch.tensor([8.0]),
        coord_scale=torch.ones(1, 3),
        object_id=torch.zeros(1),
        index=torch.zeros(1),
    )
    points = batch.points_img(batch.mask.shape[-1])[0]
    assert points[:5].tolist() == [[11, 21], [13, 21], [15, 21], [17, 21], [11, 23]]
    assert points[-1].tolist() == [17, 27]
    corners = batch.points_img(batch.mask.shape[-1], 0.0)[0]
    assert corners[:5].tolist() == [
        [10, 20],
        [12, 20],
        [14, 20],
        [16, 20],
        [10, 22],
    ]
