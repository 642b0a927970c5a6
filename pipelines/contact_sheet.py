"""A contact sheet of a dataset: pose, outline, visible mask and coordinates of evenly spaced samples."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.crop import cut
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import SPLITS, ObjectModel, Record
from epropnp.errors import UserError
from pipelines.rendering.camera_views import project

_TILE = 192  # pixels
_TITLE = 16  # pixels above each sample
_MARGIN = 1.1  # of the shown square around the projected box
_BOX_COLOUR, _AXIS_COLOURS = (255, 220, 0), ((255, 60, 60), (60, 255, 60), (80, 120, 255))
_TIGHT_COLOUR, _OUTLINE_COLOUR, _HALO = (255, 255, 255), (0, 255, 120), (0, 0, 0)
_EDGES = [(a, b) for a, b in itertools.combinations(range(8), 2) if (a ^ b) in (1, 2, 4)]

Image = NDArray[np.uint8]
Point = tuple[int, int]


def write_contact_sheet(dataset: ArrowDataset, file: Path, per_split: int = 8) -> int:
    """Writes a PNG with evenly spaced samples of every split; returns their number.

    Every sample is a column of four tiles: the crop with the object's 3D box and axes projected by
    the pose and the 2D box; the crop with the outline of the projected model; the crop outside the mask
    darkened; the coordinate map.
    """
    rows = []
    count = 0
    for name in SPLITS:
        split = dataset.split(name)
        picks = np.linspace(0, len(split) - 1, min(per_split, len(split))).round().astype(int)
        records = [split[int(i)] for i in picks]
        if records:
            rows.append(_row(dataset, records, name, per_split))
        count += len(records)
    if not rows:
        raise UserError(f"{dataset.path} holds no samples")
    if not cv2.imwrite(str(file), np.concatenate(rows)[..., ::-1]):
        raise UserError(f"cannot write {file}: does its folder exist?")
    return count


def _row(dataset: ArrowDataset, records: Sequence[Record], split: str, columns: int) -> Image:
    columns_shown = []
    for record in records:
        model = dataset.objects[record.object_id]
        title = np.zeros((_TITLE, _TILE, 3), np.uint8)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(title, f"{split} {model.name}", (3, 12), font, 0.4, _TIGHT_COLOUR, 1, cv2.LINE_AA)
        columns_shown.append(np.concatenate([title, *_tiles(record, model)]))
    columns_shown += [np.zeros_like(columns_shown[0])] * (columns - len(columns_shown))
    return np.concatenate(columns_shown, axis=1)


def _tiles(record: Record, model: ObjectModel) -> list[Image]:
    """Four tiles of a square around the object."""
    corners = _corners(model)
    origin, side = _window(record, project(corners, record.T_cam_obj, record.K))
    place = _pair(record.map_origin)
    picture = cut(record.rgb, _pair(record.crop_origin), origin, (side, side))
    mask = cut(record.mask, place, origin, (side, side))
    colours = cut((record.coords >> 8).astype(np.uint8), place, origin, (side, side))
    darkened = np.where(mask[..., None] > 0, picture, picture // 4)
    shown = _resize(picture, cv2.INTER_AREA if side > _TILE else cv2.INTER_CUBIC)
    boxed, outlined = shown.copy(), shown.copy()

    def pixels(points: NDArray[np.float64]) -> list[Point]:
        moved = (project(points, record.T_cam_obj, record.K) - origin + 0.5) * _TILE / side - 0.5
        return [(int(x), int(y)) for x, y in np.rint(np.clip(moved, -_TILE, 2 * _TILE))]

    _draw_box(boxed, pixels(corners))
    centre = corners.mean(axis=0)
    _draw_axes(boxed, pixels(np.concatenate([centre[None], centre + 0.3 * model.diameter_m * np.eye(3)])))
    low = (record.box[:2] - origin) * _TILE / side
    high = low + record.box[2:] * _TILE / side
    cv2.rectangle(boxed, _pair(low), _pair(high), _TIGHT_COLOUR, 1)
    _draw_outline(outlined, pixels(model.points.astype(np.float64)))
    return [boxed, outlined, _resize(darkened, cv2.INTER_NEAREST), _resize(colours, cv2.INTER_NEAREST)]


def _corners(model: ObjectModel) -> NDArray[np.float64]:
    """The corners (8, 3) of the object's box."""
    bounds = np.stack([model.bounds_min, model.bounds_max])
    return np.array([[bounds[k >> axis & 1, axis] for axis in range(3)] for k in range(8)])


def _window(record: Record, corners: NDArray[np.float64]) -> tuple[Point, int]:
    """Origin and side of the shown square: the projected box (8, 2), as far as the crop reaches."""
    centre = record.box[:2] + record.box[2:] / 2
    reach = max(np.abs(corners - centre).max(), record.box[2:].max() / 2)
    side = min(int(2 * _MARGIN * reach), record.rgb.shape[0])
    return _pair(np.rint(centre - side / 2)), side


def _pair(values: NDArray[np.generic]) -> Point:
    return int(values[0]), int(values[1])


def _resize(image: Image, method: int) -> Image:
    size = (_TILE, _TILE)
    return np.ascontiguousarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _draw_box(tile: Image, corners: Sequence[Point]) -> None:
    for colour, width in ((_HALO, 3), (_BOX_COLOUR, 1)):
        for a, b in _EDGES:
            cv2.line(tile, corners[a], corners[b], colour, width, cv2.LINE_AA)


def _draw_axes(tile: Image, ends: Sequence[Point]) -> None:
    for end, colour in zip(ends[1:], _AXIS_COLOURS, strict=True):
        cv2.line(tile, ends[0], end, _HALO, 4, cv2.LINE_AA)
        cv2.line(tile, ends[0], end, colour, 2, cv2.LINE_AA)


def _draw_outline(tile: Image, points: Sequence[Point]) -> None:
    """The outline of what the projected vertices cover, gaps between them closed."""
    covered = np.zeros((3 * _TILE, 3 * _TILE), np.uint8)  # with a tile's width around
    for x, y in points:
        covered[y + _TILE : y + _TILE + 1, x + _TILE : x + _TILE + 1] = 255
    rows, columns = np.nonzero(covered)
    spacing = np.sqrt((np.ptp(rows) + 1) * (np.ptp(columns) + 1) / len(rows))
    size = 2 * int(np.ceil(1.5 * spacing)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    closed = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, kernel)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, outlines, -1, _OUTLINE_COLOUR, 1, cv2.LINE_AA, offset=(-_TILE, -_TILE))
