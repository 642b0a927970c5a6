"""Predictions as a results file of the BOP challenge.

https://bop.felk.cvut.cz/challenges: `scene_id,im_id,obj_id,score,R,t,time`, rotations row by row,
translations in millimetres.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from epropnp.errors import UserError
from epropnp.evaluation.predictions import Predictions
from epropnp.files import whole_file

COLUMNS = ("scene_id", "im_id", "obj_id", "score", "R", "t", "time")
UNKNOWN_TIME = -1
_BOP_SAMPLE = re.compile(r"(?:^|.*/)(\d+)/(\d+)(?:_\d+)?$")  # .../scene/image_instance


class BopRow(NamedTuple):
    """One pose of a results file."""

    scene_id: int
    image_id: int
    object_id: int
    score: float  # ranks poses
    T_cam_obj: Any  # (4, 4) metres


def write_bop_results(predictions: Predictions, path: Path) -> int:
    """Write all poses that are finite; returns how many are not.

    The score ranks: log p(pose) where the posterior was sampled, else minus the cost.

    Raises:
        UserError: the file cannot be written.
    """
    density = -predictions.cost
    if predictions.posterior is not None:
        density = density - predictions.posterior.log_evidence
    finite = predictions.valid & np.isfinite(predictions.T_pred).all((1, 2))
    images = bop_images(predictions)
    rows = (
        BopRow(*images[i], int(predictions.object_id[i]), float(density[i]), predictions.T_pred[i])
        for i in np.flatnonzero(finite).tolist()
    )
    write_bop_rows(rows, path)
    return int((~finite).sum())


def write_bop_rows(rows: Iterable[BopRow], path: Path) -> int:
    """Write a results file; returns how many rows it has. UserError where that fails."""
    count = 0
    try:
        with whole_file(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            for count, row in enumerate(rows, 1):  # noqa: B007
                T = np.asarray(row.T_cam_obj)
                R, t = _numbers(T[:3, :3]), _numbers(1000 * T[:3, 3])
                image = row.scene_id, row.image_id, row.object_id
                writer.writerow([*image, f"{row.score:.6f}", R, t, UNKNOWN_TIME])
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    return count


def bop_images(predictions: Predictions) -> list[tuple[int, int]]:
    """Scene and image number of every prediction.

    Those of the BOP folder that the images were read from. Images of other origin are numbered as
    `pipelines/prepare.py export` does: the object is the scene, and its images count from 0.
    """
    found = [_BOP_SAMPLE.match(name) for name in predictions.sample_id]
    named = [(int(match[1]), int(match[2])) for match in found if match]
    if len(named) == len(predictions):
        return named
    seen: Counter[int] = Counter()
    numbered = []
    for object_id in predictions.object_id.tolist():
        numbered.append((object_id, seen[object_id]))
        seen[object_id] += 1
    return numbered


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.9g}" for value in values.ravel())
