"""From a picture, its camera and boxes to the crops that a network sees, as in training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from epropnp.data.augment import box_crop
from epropnp.data.crop import warp_picture
from epropnp.data.dataset import Crops
from epropnp.errors import UserError
from epropnp.json_files import is_camera_matrix

LEAST_PX = 2  # sides of a box
LARGEST = 4.0  # of a box's side, in the picture's larger one
_REACH_OUT = 0.1  # of its side: boxes that end farther out, and within as corners, are taken for corners

Array = NDArray[Any]
Size = tuple[int, int]


def checked_picture(picture: Any) -> Array:
    """An array that is an RGB picture, uint8 (H, W, 3). UserError says what it is instead."""
    if not isinstance(picture, np.ndarray):
        raise UserError(
            f"image: expected an RGB array, uint8 (height, width, 3), got {type(picture).__name__}"
        )
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise UserError(
            f"image: expected RGB bytes, uint8 (height, width, 3), got {picture.dtype} {picture.shape}"
            + _advice(picture)
        )
    return picture


def checked_camera(K: Any) -> Array:
    """A camera matrix (3, 3) float64. UserError where it is none."""
    try:
        matrix = np.asarray(K, np.float64)
    except (TypeError, ValueError):
        raise UserError("K: expected 3 x 3 numbers, row by row") from None
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all() or not is_camera_matrix(matrix):
        raise UserError(f"K is no camera matrix [[fx, s, cx], [0, fy, cy], [0, 0, 1]]: {matrix.tolist()}")
    return matrix


def checked_boxes(boxes: Any, size: Size) -> Array:
    """Boxes (N, 4) float64: x, y of the first pixel, width and height in pixels of a picture of that size.

    They may reach out of the picture. UserError names the first one that is none.
    """
    try:
        values = np.atleast_2d(np.asarray(boxes, np.float64))
    except (TypeError, ValueError):
        values = np.empty((0, 0))
    if values.ndim != 2 or values.shape[1:] != (4,) or not len(values):
        raise UserError(f"box: expected four numbers x, y, w, h in pixels for each object, got {boxes!r}")
    for number, box in enumerate(values.tolist(), 1):
        if wrong := _fault(box, size):
            name = f"box {number} of {len(values)}" if len(values) > 1 else "box"
            raise UserError(f"{name}: ({', '.join(f'{v:g}' for v in box)}) {wrong}")
    return values


def crops_of(picture: Array, K: Array, boxes: Array, coord_scale: Sequence[Array], input_px: int) -> Crops:
    """The square crops around boxes (N, 4) of a picture (H, W, 3) with camera K (3, 3), as in evaluation.

    The border is black, as in training. `coord_scale` is of the object in each box, (3,) metres.
    """
    crops = [box_crop(box.astype(np.float32)) for box in boxes]
    return Crops(
        image=torch.from_numpy(np.stack([warp_picture(picture, crop, input_px) for crop in crops])),
        K=torch.from_numpy(np.stack([crop.camera(K) for crop in crops])).float(),
        corner=torch.from_numpy(np.stack([crop.corner for crop in crops])).float(),
        side=torch.tensor([crop.side for crop in crops]).float(),
        coord_scale=torch.from_numpy(np.stack(coord_scale)).float(),
    )


def _advice(picture: Array) -> str:
    if picture.dtype == np.uint16:
        return ": divide 16 bits by 257"
    if picture.dtype.kind == "f":
        return ": numbers from 0 to 1 want (255 * image).round().astype('uint8')"
    if picture.ndim == 2 or (picture.ndim == 3 and picture.shape[2] == 1):
        return ": repeat the grey channel three times"
    if picture.ndim == 3 and picture.shape[2] == 4:
        return ": leave the fourth channel out"
    if picture.ndim == 3 and picture.shape[0] == 3:
        return ": the channels come last"
    return ""


def _fault(box: list[float], size: Size) -> str:
    """What is wrong with a box, or nothing."""
    x, y, width, height = box
    w, h = size
    if not np.isfinite(box).all():
        return "is not finite"
    if max(map(abs, box)) <= 1 and min(width, height) > 0:
        return f"are fractions: boxes are in pixels; multiply by the picture's width {w} and height {h}"
    if width < LEAST_PX or height < LEAST_PX:
        return f"is {width:g} x {height:g} pixels, at least {LEAST_PX} x {LEAST_PX} are needed"
    if x + width <= 0 or y + height <= 0 or x >= w or y >= h:
        return f"lies outside of the {w} x {h} picture"
    if max(width, height) > LARGEST * max(size):
        return f"is more than {LARGEST:g} times as large as the {w} x {h} picture"
    out = x + width - w > _REACH_OUT * width or y + height - h > _REACH_OUT * height
    if out and x >= 0 and y >= 0 and x + LEAST_PX <= width <= w and y + LEAST_PX <= height <= h:
        return (
            f"reaches far out of the {w} x {h} picture and looks like two corners: boxes are x, y, w, h, "
            f"then ({x:g}, {y:g}, {width - x:g}, {height - y:g}); if it is right, clip it to the picture"
        )
    return ""
