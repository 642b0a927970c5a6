"""Training and evaluation samples from an Arrow split, and their batches.

A training sample depends on (seed, epoch, position) alone, so the batches are the same for any number of
loader processes and after a resume.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from epropnp.data import augment
from epropnp.data.augment import AugmentConfig
from epropnp.data.crop import Crop, sample_maps, warp_alpha, warp_image
from epropnp.data.format import ArrowDataset, ObjectModel, Record, dequantise

Draw = tuple[int, int, int]  # epoch, position in the epoch, index in the split


@dataclass(frozen=True)
class Batch:
    """B crops with their targets; the same fields without the first axis make one sample.

    Attributes:
        image: RGB, uint8 (B, H, W, 3).
        coords: object coordinates divided by `coord_scale`, (B, 3, h, w).
        mask: where the object is visible, bool (B, h, w).
        K: intrinsics of the (rotated) image that the crop was cut from, (B, 3, 3).
        T_cam_obj: ground truth, metres, (B, 4, 4).
        corner: top-left corner of the crop in that image, px, (B, 2).
        side: side of the crop, px, (B,).
        coord_scale: metres per unit of `coords`, (B, 3).
        object_id: (B,).
        index: position in the split, (B,).
    """

    image: Tensor
    coords: Tensor
    mask: Tensor
    K: Tensor
    T_cam_obj: Tensor
    corner: Tensor
    side: Tensor
    coord_scale: Tensor
    object_id: Tensor
    index: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device, asynchronously from pinned memory."""
        return Batch(**{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})

    def pin_memory(self) -> "Batch":
        """Called by the loader where an accelerator is present."""
        return Batch(**{k: v.pin_memory() for k, v in vars(self).items()})

    def points_img(self) -> Tensor:
        """Centres of the map's cells in image pixels, (B, h*w, 2), row by row."""
        cells = self.mask.shape[-1]
        centre = (torch.arange(cells, device=self.side.device) + 0.5) / cells  # (w,)
        grid = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1).view(1, -1, 2)
        return self.corner[:, None] + grid * self.side[:, None, None]


class CropDataset(Dataset[Batch]):
    """Crops of one split. With `config`, items are addressed by a `Draw` and augmented.

    Args:
        dataset: the opened dataset.
        split: 'train', 'validation' or 'test'.
        input_px: side of the image crop.
        map_px: side of the coordinate map.
        config: augmentation; None for evaluation crops.
        seed: of the augmentation.
    """

    def __init__(
        self,
        dataset: ArrowDataset,
        split: str,
        *,
        input_px: int,
        map_px: int,
        config: AugmentConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.records = dataset.split(split)
        self.objects = dataset.objects
        self.backgrounds = dataset.backgrounds
        self.input_px, self.map_px = input_px, map_px
        self.config, self.seed = config, seed

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Draw) -> Batch:
        epoch, position, index = draw
        record = self.records[index]
        if self.config is None:
            crop = augment.box_crop(record)
            image = warp_image(record, crop, self.input_px)
            mask, coords = sample_maps(record, crop, self.map_px)
        else:
            rng = np.random.default_rng([self.seed, epoch, position])
            crop = augment.jittered_crop(record, self.config, rng)
            image, mask, coords = self._augmented(record, crop, self.config, rng)
        return _sample(record, self.objects[record.object_id], crop, image, mask, coords, index)

    def _augmented(
        self, record: Record, crop: Crop, config: AugmentConfig, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image = warp_image(record, crop, self.input_px)
        mask, coords = sample_maps(record, crop, self.map_px)
        chance = config.background_synthetic if record.synthetic else config.background_real
        if rng.random() < chance:
            alpha = warp_alpha(record, crop, self.input_px)
            image = augment.replace_background(image, alpha, self.backgrounds, rng)
        if (rectangle := augment.occluder(config, rng)) is not None:
            over = augment.rectangle_cells(rectangle, self.input_px)
            image[over] = augment.random_background(self.backgrounds, self.input_px, rng)[over]
            mask[augment.rectangle_cells(rectangle, self.map_px)] = False
        return augment.jitter_appearance(image, config, rng), mask, coords


class EpochSampler(Sampler[Draw]):
    """The order of one epoch: a permutation that depends on (seed, epoch) alone.

    Args:
        indices: rows of the split, (n,); a row that stands twice is visited twice.
        seed: of the order.

    Set `epoch` before each pass.
    """

    def __init__(self, indices: np.ndarray, *, seed: int) -> None:
        self.indices, self.seed, self.epoch = indices, seed, 0

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self) -> Iterator[Draw]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.indices)
        for position, index in enumerate(order):
            yield self.epoch, position, int(index)


def training_loader(
    dataset: CropDataset, sampler: EpochSampler, batch_size: int, *, workers: int, pin: bool
) -> DataLoader[Batch]:
    """Whole batches only, as batch normalisation wants them. Worker processes live on between epochs."""
    return DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=collate,
        pin_memory=pin,
        drop_last=len(sampler) > batch_size,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )


def evaluation_loader(dataset: CropDataset, batch_size: int) -> DataLoader[Batch]:
    """All samples in order, read in this process."""
    draws: list[Draw] = [(0, index, index) for index in range(len(dataset))]
    return DataLoader(dataset, batch_size=batch_size, sampler=draws, collate_fn=collate)


def collate(samples: list[Batch]) -> Batch:
    """Stack samples into a batch."""
    names = [field.name for field in dataclasses.fields(Batch)]
    return Batch(**{name: torch.stack([getattr(s, name) for s in samples]) for name in names})


def _sample(
    record: Record,
    model: ObjectModel,
    crop: Crop,
    image: np.ndarray,
    mask: np.ndarray,
    coords: np.ndarray,
    index: int,
) -> Batch:
    coord_scale = np.abs(model.bounds_min)
    normalised = dequantise(coords, model) / coord_scale * mask[..., None]  # (h, w, 3)
    return Batch(
        image=torch.from_numpy(image),
        coords=torch.from_numpy(normalised.astype(np.float32)).permute(2, 0, 1),
        mask=torch.from_numpy(mask),
        K=torch.from_numpy(crop.camera(record.K).astype(np.float32)),
        T_cam_obj=torch.from_numpy(record.T_cam_obj.astype(np.float32)),
        corner=torch.from_numpy(crop.corner.astype(np.float32)),
        side=torch.tensor(crop.side, dtype=torch.float32),
        coord_scale=torch.from_numpy(coord_scale.astype(np.float32)),
        object_id=torch.tensor(record.object_id),
        index=torch.tensor(index),
    )
