"""Batches depend on (seed, epoch, position) alone."""

import hashlib

import numpy as np
import pytest

from epropnp.data.augment import AugmentConfig
from epropnp.data.dataset import CropDataset, EpochSampler, training_loader
from epropnp.data.format import ArrowDataset

CONFIG = AugmentConfig(rotation_deg=20, color=0.3, blur=0.3, noise=0.03, occlusion=0.3)


def batch_hashes(path, seed: int, epoch: int, workers: int) -> list[str]:  # type: ignore[no-untyped-def]
    data = CropDataset(ArrowDataset(path), "train", input_px=64, map_px=16, config=CONFIG, seed=seed)
    sampler = EpochSampler(np.arange(len(data)), seed=seed)
    sampler.epoch = epoch
    hashes = []
    for batch in training_loader(data, sampler, 16, workers=workers, pin=False):
        content = b"".join(v.numpy().tobytes() for v in vars(batch).values())
        hashes.append(hashlib.sha256(content).hexdigest())
    return hashes


def test_batches_are_the_same_for_any_number_of_workers(tiny_dataset) -> None:  # type: ignore[no-untyped-def]
    alone = batch_hashes(tiny_dataset, 0, 1, workers=0)
    assert len(set(alone)) == 4
    assert batch_hashes(tiny_dataset, 0, 1, workers=2) == alone


@pytest.mark.parametrize(("seed", "epoch"), [(1, 1), (0, 2)])
def test_seed_and_epoch_change_every_batch(tiny_dataset, seed: int, epoch: int) -> None:  # type: ignore[no-untyped-def]
    first = batch_hashes(tiny_dataset, 0, 1, workers=0)
    assert not set(first) & set(batch_hashes(tiny_dataset, seed, epoch, workers=0))


def test_an_epoch_visits_every_sample_as_often_as_it_stands() -> None:
    draws = list(EpochSampler(np.repeat(np.arange(50), 2), seed=3))
    assert sorted(index for _, _, index in draws) == sorted(2 * list(range(50)))
    assert [position for _, position, _ in draws] == list(range(100))
