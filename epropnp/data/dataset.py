"""Training and evaluation samples from an Arrow split.

A training sample depends on (seed, epoch, position) alone, so the batches are the same for any number of
loader processes and after a resume at any step.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from epropnp.data import augment
from epropnp.data.appearance import jitter_appearance
from epropnp.data.config import AugmentConfig, DetectorNoise
from epropnp.data.crop import Crop, sample_maps, warp_rgba
from epropnp.data.reader import ArrowDataset, Split
from epropnp.data.schema import QUANTISATION_STEPS, ObjectModel, Record
from epropnp.errors import UserError

DETECTOR_SEED = 20151217  # of the errors of evaluation boxes, which no trial's seed changes
Draw = tuple[int, int, int]  # epoch, position in the epoch, index in the split
Boxes = Literal["true", "detected"]


def chosen_boxes(wanted: Boxes | Literal["auto"], records: Split) -> Boxes:
    """The boxes wanted; of `auto` the detected ones, if every record has one."""
    if wanted != "auto":
        return wanted
    return "true" if records.nulls("detected_box") else "detected"


@dataclass(frozen=True)
class Crops:
    """B crops of pictures, and where they were cut from.

    Attributes:
        image: RGB, uint8 (B, H, W, 3).
        K: intrinsics of the (rotated) image that the crop was cut from, (B, 3, 3).
        corner: top-left corner of the crop in that image, px, (B, 2).
        side: side of the crop, px, (B,).
        coord_scale: metres per unit of the network's coordinates of the object in it, (B, 3).
    """

    image: Tensor
    K: Tensor
    corner: Tensor
    side: Tensor
    coord_scale: Tensor

    def to(self, device: torch.device) -> Self:
        """Copy to a device, asynchronously from pinned memory."""
        return type(self)(**{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})

    def points_img(self, cells: int, anchor: float = 0.5) -> Tensor:
        """Where the cells of a map of `cells` x `cells` lie in the image, px, (B, cells^2, 2), row by row.

        `anchor` is the place in a cell: 0.5 is its centre, 0 its top-left corner, as in the official code.
        """
        centre = (torch.arange(cells, device=self.side.device) + anchor) / cells  # (w,)
        grid = torch.stack(torch.meshgrid(centre, centre, indexing="xy"), -1).view(1, -1, 2)
        return self.corner[:, None] + grid * self.side[:, None, None]


@dataclass(frozen=True)
class Batch(Crops):
    """B crops with their targets; the same fields without the first axis make one sample.

    Attributes:
        coords: object coordinates divided by `coord_scale`, (B, 3, h, w), channels last in memory.
        mask: where the object is visible, bool (B, h, w).
        T_cam_obj: ground truth, metres, (B, 4, 4).
        object_id: (B,).
        index: position in the split, (B,).
    """

    coords: Tensor
    mask: Tensor
    T_cam_obj: Tensor
    object_id: Tensor
    index: Tensor

    def pin_memory(self) -> "Batch":
        """Called by the loader where an accelerator is present."""
        return Batch(**{k: v.pin_memory() for k, v in vars(self).items()})


class CropDataset(Dataset[Batch]):
    """Crops of one split. With `config`, items are addressed by a `Draw` and augmented.

    Args:
        dataset: the opened dataset.
        split: 'train', 'validation' or 'test'.
        input_px: side of the image crop.
        map_px: side of the coordinate map.
        config: augmentation; None for evaluation crops.
        seed: of the augmentation.
        boxes: what evaluation crops are cut around: the true boxes, or those that a detector found.
        noise: random errors of those boxes, the same for every seed and network.
        first: only so many records of the split.
        per_object: at most so many of each object, evenly spread through its records.

    Raises:
        UserError: boxes of a detector are asked for, and some images have none.
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
        boxes: Boxes = "true",
        noise: DetectorNoise | None = None,
        first: int | None = None,
        per_object: int | None = None,
    ) -> None:
        records = dataset.split(split)
        if first is not None:
            records = records.chosen(range(min(first, len(records))))
        if per_object is not None:
            records = records.chosen(_spread(records.column("object_id"), per_object))
        self.records = records
        self.objects = dataset.objects
        self.backgrounds = dataset.backgrounds
        self.input_px, self.map_px = input_px, map_px
        self.config, self.seed = config, seed
        self.boxes, self.noise = boxes, noise or DetectorNoise()
        if boxes == "detected" and (missing := self.records.nulls("detected_box")):
            raise UserError(
                f"{missing} of {len(self.records)} {split} images of {dataset.path} have no detected box: "
                "evaluate with the true boxes, or build from data that has them"
            )

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, draw: Draw) -> Batch:
        return Batch(**{name: value[0] for name, value in vars(self.__getitems__([draw])).items()})

    def __getitems__(self, draws: Sequence[Draw]) -> Batch:
        """The batch of several draws, filled in place; this is what the loader asks for."""
        batch = _empty_batch(len(draws), self.input_px, self.map_px)
        rows = {name: tensor.numpy() for name, tensor in vars(batch).items()}
        for i, draw in enumerate(draws):
            for name, value in self._sample(*draw).items():
                rows[name][i] = value
        return batch

    def _sample(self, epoch: int, position: int, index: int) -> dict[str, Any]:
        """The values of a batch's fields for one draw."""
        record = self.records[index]
        model = self.objects[record.object_id]
        if self.config is None:
            crop = self._evaluation_crop(record, index)
            image = cv2.cvtColor(warp_rgba(record, crop, self.input_px), cv2.COLOR_RGBA2RGB)
            mask, coords = sample_maps(record, crop, self.map_px)
        else:
            rng = np.random.default_rng([self.seed, epoch, position])
            jitter = self.config.scale_jitter, self.config.shift_jitter, self.config.rotation_deg
            crop = augment.jittered_crop(record.box, *jitter, rng)
            image, mask, coords = self._augmented(record, crop, self.config, rng)
        return {
            "image": image,
            "coords": _normalised(coords, mask, model),
            "mask": mask,
            "K": crop.camera(record.K),
            "T_cam_obj": record.T_cam_obj,
            "corner": crop.corner,
            "side": crop.side,
            "coord_scale": model.coord_scale,
            "object_id": record.object_id,
            "index": index,
        }

    def _evaluation_crop(self, record: Record, index: int) -> Crop:
        box = record.box if self.boxes == "true" else record.detected_box
        assert box is not None  # checked for the whole split
        rng = np.random.default_rng(
            [DETECTOR_SEED, self.records.rows[index]]
        )  # the image's own, in any choice
        return augment.jittered_crop(box, self.noise.scale, self.noise.shift, 0.0, rng)

    def _augmented(
        self, record: Record, crop: Crop, config: AugmentConfig, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rgba = warp_rgba(record, crop, self.input_px)
        mask, coords = sample_maps(record, crop, self.map_px)
        chance = config.background_synthetic if record.synthetic else config.background_real
        if rng.random() < chance:
            size = (self.input_px, self.input_px)
            image = augment.composite(rgba, augment.random_piece(self._picture(rng), size, (0.4, 1.0), rng))
        else:
            image = cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB)
        for rectangle in augment.random_rectangles(config, rng):
            hidden = image[augment.rectangle_cells(rectangle, self.input_px)]
            hidden[:] = self._occluder((hidden.shape[1], hidden.shape[0]), config, rng)
            mask[augment.rectangle_cells(rectangle, self.map_px)] = False
        return jitter_appearance(image, config, rng), mask, coords

    def _picture(self, rng: np.random.Generator) -> np.ndarray:
        return self.backgrounds[int(rng.integers(len(self.backgrounds)))]

    def _occluder(self, size: tuple[int, int], config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
        """What hides a rectangle of `size` (w, h): a piece of another crop's object, or of a background."""
        if rng.random() >= config.occluder_crops:
            return augment.random_piece(self._picture(rng), size, (0.15, 0.5), rng)
        other = self.records[int(rng.integers(len(self.records)))].rgb
        margin = len(other) // 4
        return augment.random_piece(other[margin:-margin, margin:-margin], size, (0.4, 1.0), rng)


class EpochSampler(Sampler[Draw]):
    """The order of one epoch: a permutation that depends on (seed, epoch) alone.

    Args:
        indices: rows of the split, (n,); a row that stands twice is visited twice.
        seed: of the order.

    Set `epoch` before each pass; and `start`, the number of samples of it that were used already, to go on in
    its midst: where that is a multiple of the batch size, the batches are those that were left.
    """

    def __init__(self, indices: np.ndarray, *, seed: int) -> None:
        self.indices, self.seed = indices, seed
        self.epoch, self.start = 0, 0

    def __len__(self) -> int:
        return len(self.indices) - self.start

    def __iter__(self) -> Iterator[Draw]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.indices)
        for position in range(self.start, len(order)):
            yield self.epoch, position, int(order[position])


def _spread(object_id: np.ndarray, count: int) -> list[int]:
    """Places of at most `count` records of each object, evenly spread through its own, in their order."""
    places: list[int] = []
    for each in np.unique(object_id):
        own = np.flatnonzero(object_id == each)
        kept = min(count, len(own))
        places += own[np.arange(kept) * len(own) // kept].tolist()
    return sorted(places)


def _empty_batch(count: int, input_px: int, map_px: int) -> Batch:
    return Batch(
        image=torch.empty(count, input_px, input_px, 3, dtype=torch.uint8),
        coords=torch.empty(count, 3, map_px, map_px, memory_format=torch.channels_last),
        mask=torch.empty(count, map_px, map_px, dtype=torch.bool),
        K=torch.empty(count, 3, 3),
        T_cam_obj=torch.empty(count, 4, 4),
        corner=torch.empty(count, 2),
        side=torch.empty(count),
        coord_scale=torch.empty(count, 3),
        object_id=torch.empty(count, dtype=torch.int64),
        index=torch.empty(count, dtype=torch.int64),
    )


def _normalised(coords: np.ndarray, mask: np.ndarray, model: ObjectModel) -> np.ndarray:
    """Quantised coordinates (h, w, 3) in units of `coord_scale`, 0 outside the mask, (3, h, w) float32."""
    step = model.extent / model.coord_scale / QUANTISATION_STEPS
    affine = np.column_stack([np.diag(step), model.bounds_min / model.coord_scale])
    values = cv2.transform(coords.astype(np.float32), affine)
    return cv2.copyTo(values, mask.view(np.uint8)).transpose(2, 0, 1)
