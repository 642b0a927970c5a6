"""A contact sheet of a dataset: crop with reprojected box, visible mask, coordinates as colours."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.format import ArrowDataset, ObjectModel, Record
from epropnp.data.schema import SPLITS
from epropnp.errors import UserError
from pipelines.camera_views import project
from pipelines.records import cut

_TILE = 192  # pixels
_BOX_COLOUR, _AXIS_COLOURS = (255, 220, 0), ((255, 60, 60), (60, 255, 60), (80, 120, 255))
_EDGES = [(a, b) for a, b in itertools.combinations(range(8), 2) if (a ^ b) in (1, 2, 4)]

Image = NDArray[np.uint8]


def write_contact_sheet(dataset: ArrowDataset, file: Path, per_split: int = 8) -> int:
    """Writes a PNG with evenly spaced samples of every split; returns their number.

    Every sample is a column of three tiles: the crop with the object's 3D box, 2D box and axes
    projected by the pose, the crop outside the mask darkened, and the coordinate map.
    """
    rows = []
    for name in SPLITS:
        split = dataset.split(name)
        picks = np.linspace(0, len(split) - 1, min(per_split, len(split))).round().astype(int)
        records = [split[int(i)] for i in picks]
        if records:
            rows.append(_row(dataset, records, per_split))
    if not rows:
        raise UserError(f"{dataset.path} holds no samples")
    if not cv2.imwrite(str(file), np.concatenate(rows)[..., ::-1]):
        raise UserError(f"cannot write {file}: does its folder exist?")
    return len(rows) * per_split


def _row(dataset: ArrowDataset, records: Sequence[Record], columns: int) -> Image:
    tiles = [_column(record, dataset.objects[record.object_id]) for record in records]
    tiles += [np.zeros_like(tiles[0])] * (columns - len(tiles))
    return np.concatenate(tiles, axis=1)


def _column(record: Record, model: ObjectModel) -> Image:
    """Three tiles above each other, (3 * 192, 192, 3), of the box and half its side around it."""
    origin, side = _window(record)
    shape = (side, side)
    place = _pair(record.map_origin)
    picture = cut(record.rgb, _pair(record.crop_origin), origin, shape)
    mask = cut(record.mask, place, origin, shape)
    colours = cut((record.coords >> 8).astype(np.uint8), place, origin, shape)
    darkened = np.where(mask[..., None] > 0, picture, picture // 4)
    tiles = [
        _resize(picture, cv2.INTER_AREA if side > _TILE else cv2.INTER_LINEAR),
        _resize(darkened, cv2.INTER_NEAREST),
        _resize(colours, cv2.INTER_NEAREST),
    ]
    _draw_pose(tiles[0], record, model, origin, _TILE / side)
    return np.concatenate(tiles)


def _window(record: Record) -> tuple[tuple[int, int], int]:
    """Origin and side of the shown square."""
    x, y, width, height = (int(value) for value in record.box)
    side = int(1.5 * max(width, height))
    return (x + (width - side) // 2, y + (height - side) // 2), side


def _pair(origin: NDArray[np.int32]) -> tuple[int, int]:
    return int(origin[0]), int(origin[1])


def _resize(image: Image, method: int) -> Image:
    size = (_TILE, _TILE)
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _draw_pose(
    tile: Image, record: Record, model: ObjectModel, origin: tuple[int, int], scale: float
) -> None:
    def pixels(points: NDArray[np.float64]) -> NDArray[np.int32]:
        shown = project(points, record.T_cam_obj, record.K) - origin
        return np.rint((shown + 0.5) * scale - 0.5).astype(np.int32)

    bounds = np.stack([model.bounds_min, model.bounds_max])
    corners = np.array([[bounds[k >> axis & 1, axis] for axis in range(3)] for k in range(8)])
    drawn = pixels(corners)
    for a, b in _EDGES:
        cv2.line(tile, drawn[a].tolist(), drawn[b].tolist(), _BOX_COLOUR, 1, cv2.LINE_AA)
    centre = bounds.mean(axis=0)
    ends = pixels(np.concatenate([centre[None], centre + 0.3 * model.diameter_m * np.eye(3)]))
    for end, colour in zip(ends[1:], _AXIS_COLOURS, strict=True):
        cv2.line(tile, ends[0].tolist(), end.tolist(), colour, 1, cv2.LINE_AA)
    x, y = (record.box[:2] - origin) * scale
    width, height = record.box[2:] * scale
    low, high = (int(x), int(y)), (int(x + width), int(y + height))
    cv2.rectangle(tile, low, high, (255, 255, 255), 1)
