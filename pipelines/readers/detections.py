"""A detector's boxes in BOP's format: a JSON list with scene_id, image_id, category_id, bbox and score each.

A box is [x, y, w, h] in pixels. Of an object that is once in a picture, the box with the highest score is
taken; of several, each takes that of the best boxes, as many as there are instances, whose middle is nearest
to its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from epropnp.json_files import integer, numbers, read_json

Box = tuple[float, float, float, float]
_IDS = ("scene_id", "image_id", "category_id")


@dataclass(frozen=True)
class _Detection:
    score: float
    box: Box

    @property
    def middle(self) -> NDArray[np.float64]:
        x, y, width, height = self.box
        return np.array([x + width / 2, y + height / 2])


class Detections:
    """The boxes of one file."""

    def __init__(self, file: Path) -> None:
        """UserError where it cannot be read, or an entry is none."""
        self.file = file
        table = read_json(file, "the detector's boxes")
        if not isinstance(table, list):
            raise UserError(f"{file} is no list of detections: each needs {', '.join(_IDS)}, bbox and score")
        self._found: dict[tuple[int, ...], list[_Detection]] = {}
        for number, entry in enumerate(table):
            key, detection = _read(entry, file, f"entry {number}")
            self._found.setdefault(key, []).append(detection)
        for found in self._found.values():
            found.sort(key=lambda each: -each.score)

    def all(self, scene_id: int, image_id: int) -> list[tuple[int, Box]]:
        """Object id and box of everything found in a picture, the best scores of each object first."""
        return [
            (key[2], each.box)
            for key, found in sorted(self._found.items())
            if key[:2] == (scene_id, image_id)
            for each in found
        ]

    def box(
        self, scene_id: int, image_id: int, object_id: int, instances: int, middle: NDArray[np.float64]
    ) -> Box | None:
        """The box of an instance whose middle (2,) is seen there, of so many instances; None without one."""
        best = self._found.get((scene_id, image_id, object_id), [])[:instances]
        if not best:
            return None
        return min(best, key=lambda each: float(np.linalg.norm(each.middle - middle))).box


def _read(entry: Any, file: Path, where: str) -> tuple[tuple[int, ...], _Detection]:
    key = tuple(integer(entry, name, file, where) for name in _IDS)
    x, y, width, height = numbers(entry, "bbox", 4, file, where).tolist()
    if width <= 0 or height <= 0:
        raise UserError(f"{file}: {where} has a bbox of {width:g} x {height:g} pixels")
    score = float(numbers(entry, "score", 1, file, where)[0])
    return key, _Detection(score=score, box=(x, y, width, height))
