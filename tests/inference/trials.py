"""A trial of seconds whose best network lies alone in a folder, and what its own test found."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from epropnp.evaluation.predictions import Predictions
from epropnp.training.config import TrialConfig
from tests.training.tiny import tiny


@dataclasses.dataclass(frozen=True)
class Trial:
    """What a trial left: its best network, alone in a folder, its predictions, and the crops of the test."""

    best: Path
    predictions: Predictions
    crops: np.ndarray


def tested_in_fives() -> TrialConfig:
    """Whose test images come in several batches, and fill the last one in part."""
    config = tiny()
    return dataclasses.replace(config, evaluation=dataclasses.replace(config.evaluation, batch_size=5))


def trial_of(dataset: Path, finished: Path, alone: Path) -> Trial:
    """What such a trial left in its folder; its network is put into one of its own."""
    alone.mkdir()
    best = shutil.copy(finished / "best.pt", alone)
    config = tested_in_fives()
    size: dict[str, Any] = {"input_px": config.model.input_px, "map_px": config.model.map_px}
    crops = CropDataset(ArrowDataset(dataset), "test", **size, noise=config.evaluation.detector)
    images = crops.__getitems__([(0, i, i) for i in range(len(crops))]).image.numpy()
    return Trial(Path(best), Predictions.read(finished / "predictions.parquet"), images)


def whole_picture(record: Record) -> np.ndarray:
    """The picture (H, W, 3) that a record was cut from, black where the record does not know it."""
    width, height = record.image_size.tolist()
    picture = np.zeros((height, width, 3), np.uint8)
    (x, y), side = record.crop_origin.tolist(), record.rgb.shape[0]
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + side, width), min(y + side, height)
    picture[top:bottom, left:right] = record.rgb[top - y : bottom - y, left - x : right - x]
    return picture
