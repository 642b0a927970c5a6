"""A predicted pose in its picture: the object's outline, its axes, the detector's box and a label."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel
from epropnp.inference.outline import contours, project_points
from epropnp.visualization.text import draw_text, text_width

Array = NDArray[np.float64]
Colour = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]  # x, y, width, height in px

OUTLINE_RGB, BOX_RGB = (255, 200, 0), (190, 220, 255)
AXES_RGB: tuple[Colour, ...] = ((240, 50, 50), (40, 200, 60), (60, 120, 255))  # x, y, z
HALO_RGB = (20, 20, 20)
AXIS_LENGTH = 1 / 3  # of the diameter
FURTHEST_PX = 16_000  # beyond, OpenCV's coordinates end
MANY = 64  # motions that a continuous symmetry is sampled by, at least; the icosahedron has 60


@dataclass(frozen=True)
class Strokes:
    """Sizes in px that grow with the picture (H, W, 3)."""

    unit: float

    @classmethod
    def of(cls, picture: np.ndarray) -> "Strokes":
        return cls(float(np.hypot(*picture.shape[:2])) / 800)  # 1 at 640 x 480

    @property
    def outline(self) -> int:
        return max(2, round(1.25 * self.unit))  # of one pixel, half the ink would be halo

    @property
    def thin(self) -> int:
        return max(1, round(self.unit))

    @property
    def halo(self) -> int:
        """More than the line, on both sides together."""
        return 1 + 2 * max(1, round(0.8 * self.unit))

    @property
    def text(self) -> float:
        """From one line of text to the next."""
        return max(11.0, 17 * self.unit)


def draw_prediction(
    picture: np.ndarray,
    K: Array,
    T_cam_obj: Array,
    model: ObjectModel,
    *,
    box: Array | None = None,
    label: str | None = None,
    placed: list[Rectangle] | None = None,
) -> None:
    """Draw a pose, in place. Nothing is drawn of a pose with a NaN or behind the camera but the box.

    Args:
        picture: RGB, uint8 (H, W, 3).
        K: intrinsics of this picture (3, 3).
        T_cam_obj: (4, 4), metres.
        model: its points are outlined.
        box: x, y, w, h (4,) that a detector gave, px.
        label: beside the outline; `pose_label` if omitted, none if empty.
        placed: labels of this picture so far, which this one keeps clear of and is added to.
    """
    strokes = Strokes.of(picture)
    if box is not None and np.isfinite(box).all():
        _draw_lines(picture, [_rectangle(box)], BOX_RGB, strokes.thin, strokes)
    lines = contours(model, T_cam_obj, K, (picture.shape[1], picture.shape[0]))
    if not lines:
        return
    _draw_lines(picture, lines, OUTLINE_RGB, strokes.outline, strokes)
    draw_axes(picture, K, T_cam_obj, AXIS_LENGTH * model.diameter_m)
    text = pose_label(model) if label is None else label
    if text:
        extent = np.concatenate(lines)
        _draw_label(picture, text, extent, strokes, [] if placed is None else placed)


def pose_label(model: ObjectModel) -> str:
    """The object's name, and how many poses look the same."""
    equal = len(model.symmetries)
    if equal == 1:
        return model.name
    return f"{model.name}: one of {'infinitely many' if equal >= MANY else equal} equal poses"


def draw_axes(picture: np.ndarray, K: Array, T_cam_obj: Array, length_m: float) -> None:
    """Draw the object's axes from its origin, in place: x red, y green, z blue, the farthest first.

    An axis that ends behind the camera is left out.
    """
    strokes = Strokes.of(picture)
    for axis in np.argsort(-T_cam_obj[2, :3]):
        ends = project_points(np.stack([np.zeros(3), length_m * np.eye(3)[axis]]), T_cam_obj, K)
        if ends is not None:
            _draw_lines(picture, [ends], AXES_RGB[axis], strokes.outline, strokes, closed=False)


def _rectangle(box: Array) -> Array:
    """The corners (4, 2) of a box, from its first to its last column and row."""
    x, y, w, h = box
    right, bottom = x + max(w - 1, 0), y + max(h - 1, 0)
    return np.array([[x, y], [right, y], [right, bottom], [x, bottom]])


def _draw_lines(
    picture: np.ndarray, lines: list[Array], colour: Colour, width: int, strokes: Strokes, closed: bool = True
) -> None:
    """Polylines (n, 2) in a colour, on a dark halo."""
    drawn = [np.rint(16 * line).astype(np.int32) for line in lines if np.abs(line).max() < FURTHEST_PX]
    for rgb, px in ((HALO_RGB, width + strokes.halo), (colour, width)):
        cv2.polylines(picture, drawn, closed, rgb, px, cv2.LINE_AA, shift=4)


def _draw_label(
    picture: np.ndarray, text: str, outline: Array, strokes: Strokes, placed: list[Rectangle]
) -> None:
    """A line of text on a dark plate near the outline (n, 2), free of the plates placed so far."""
    height, width = picture.shape[:2]
    line = strokes.text
    needed = text_width(text, line) + 0.8 * line
    line *= min(1.0, width / needed, height / (1.3 * line))
    size = (text_width(text, line) + 0.8 * line, 1.3 * line)
    x, y, w, h = plate = free_place(size, (width, height), outline, 0.4 * line, placed)
    placed.append(plate)
    first, last = (round(x), round(y)), (round(x + w), round(y + h))
    part = picture[max(first[1], 0) : last[1], max(first[0], 0) : last[0]]
    part[:] = (0.25 * part + 0.75 * np.array(HALO_RGB)).astype(np.uint8)
    draw_text(picture, text, (x + 0.4 * line, y + 0.15 * line), line, OUTLINE_RGB)


def free_place(
    size: tuple[float, float],
    picture: tuple[int, int],
    outline: Array,
    gap: float,
    placed: list[Rectangle],
) -> Rectangle:
    """Where a plate of a size (w, h) stands in a picture (w, h), close to an outline (n, 2), px.

    Above the outline if there is room, else below, else elsewhere in the picture; over another plate only
    where every place is taken.
    """
    room = np.maximum(np.array(picture) - size, 0)

    def places() -> Iterator[Rectangle]:
        low, high = outline.min(axis=0), outline.max(axis=0)
        above, below = low[1] - gap - size[1], high[1] + gap
        beside = [(low[0], above), (low[0], below), (high[0] - size[0], above), (high[0] - size[0], below)]
        rows = np.arange(0, room[1] + 1, size[1])
        columns = np.unique([0.0, *np.clip([low[0], room[0]], 0, room[0])])
        anywhere = sorted(itertools.product(columns, rows), key=lambda at: abs(at[1] - above))
        for at in [*(at for at in beside if 0 <= at[1] <= room[1]), *anywhere]:
            x, y = np.clip(at, 0, room).tolist()
            yield x, y, *size

    return next((at for at in places() if not any(_meet(at, other) for other in placed)), next(places()))


def _meet(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
