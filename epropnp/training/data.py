"""The data of one trial: batches to train on, in any epoch and from any step, and splits to evaluate."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch

from epropnp.cores import loaders, local_cores
from epropnp.data.dataset import (
    Batch,
    Boxes,
    CropDataset,
    EpochSampler,
    chosen_boxes,
)
from epropnp.data.loader import TrainingLoader
from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.training.config import TrialConfig

EPOCH_IMAGES = 100  # of each object, that an epoch is scored on: enough to choose one by
OVERFIT_STEPS = 20  # of an epoch of the sanity check


class TrialData:
    """Batches and evaluation crops of one config; what is wrong with the dataset is said at once.

    The processes that load batches end with a `with` block.

    Args:
        config: of the trial.
        dataset: folder or URI; every byte of it is checked.
        device: batches are pinned for it and copied to it.
        cores: that the trial has; None: all of this process.

    Attributes:
        cores: that are kept busy, by the trial's threads and the processes that load batches.
        dataset: the opened dataset.
        steps: updates per epoch.

    Raises:
        UserError: an unusable dataset, or one too small for a batch.
    """

    def __init__(
        self, config: TrialConfig, dataset: Path | str, device: torch.device, cores: int | None = None
    ) -> None:
        self.config, self.device = config, device
        there, on_gpu = cores or local_cores(), device.type == "cuda"
        workers = loaders(config.data.workers, config.threads, there, on_gpu)
        self.cores = config.threads + workers
        self.dataset = ArrowDataset.verified(dataset)
        for split in ("validation", "test"):
            if not len(self.evaluation(split)):
                raise UserError(f"{self.dataset.path}: its {split} split is empty; build it with some images")
        crops = self._crops("train", augmented=config.data.overfit is None)
        visits = _visits(crops, config)
        part = config.optim.batch_size // config.optim.accumulate
        self.sampler = EpochSampler(visits, seed=config.seed)
        self._loader = TrainingLoader(crops, self.sampler, part, workers=workers, pin=on_gpu)
        self._train = crops
        self.steps = len(self._loader) // config.optim.accumulate
        if not self.steps:
            raise UserError(
                f"{self.dataset.path}: {len(visits)} training samples are less than one batch of "
                f"{config.optim.batch_size}; lower optim.batch_size or optim.accumulate"
            )

    @property
    def test_id(self) -> str | None:
        """Which images the trial is tested on; None in the sanity check, which tests on training images."""
        return self.dataset.test_id if self.config.data.overfit is None else None

    @property
    def test_boxes(self) -> Boxes:
        """What the crops of the test split are cut around."""
        return chosen_boxes(self.config.evaluation.test_boxes, self.dataset.split("test"))

    def batches(self, epoch: int, start: int = 0) -> Iterator[tuple[Batch, ...]]:
        """The parts of each update's batch, on the device, from update `start` of an epoch on."""
        self.sampler.epoch, self.sampler.start = epoch, start * self.config.optim.batch_size
        loaded = (batch.to(self.device) for batch in self._loader)
        for _ in range(start, self.steps):
            yield tuple(islice(loaded, self.config.optim.accumulate))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._loader.close()

    def evaluation(self, split: str) -> CropDataset:
        """Crops of 'validation' or 'test'; in the sanity check, of the training images instead."""
        return self._crops(self._evaluated(split), augmented=False)

    def epoch_images(self) -> CropDataset:
        """Crops that each epoch is scored on: those of validation, at most `EPOCH_IMAGES` of each object."""
        return self._crops(self._evaluated("validation"), augmented=False, per_object=EPOCH_IMAGES)

    def names(self, batch: Batch) -> list[str]:
        """Sample ids of a training batch."""
        return [self._train.records[i].sample_id for i in batch.index.tolist()]

    def _evaluated(self, split: str) -> str:
        return split if self.config.data.overfit is None else "train"

    def _crops(self, split: str, augmented: bool, per_object: int | None = None) -> CropDataset:
        data, model, evaluation = self.config.data, self.config.model, self.config.evaluation
        return CropDataset(
            self.dataset,
            split,
            input_px=model.input_px,
            map_px=model.map_px,
            config=data.augment if augmented else None,
            seed=self.config.seed,
            boxes=self.test_boxes if split == "test" else "true",
            noise=evaluation.detector if data.overfit is None else None,
            first=data.overfit,
            per_object=per_object,
        )


def _visits(crops: CropDataset, config: TrialConfig) -> np.ndarray:
    """Rows of the training split as one epoch visits them: photographs `real_repeats` times."""
    rows = np.arange(len(crops))
    if config.data.overfit is not None:
        return np.resize(rows, OVERFIT_STEPS * config.optim.batch_size)
    return np.repeat(rows, np.where(crops.records.column("synthetic"), 1, config.data.real_repeats))
