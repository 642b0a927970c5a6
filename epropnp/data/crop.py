"""The crop: one affine map from a source image to the network's input, its output maps and the 2D points.

A crop is a square of side s around centre c, rotated by an angle. The rotation is taken into the camera,
`K' = Rot K`, so that pose and coordinate map stay as they are, and points and weights live on the crop's own
axes. Pixel centres are at integer coordinates: cell m of a map with n cells lies at `c - s/2 + (m + 1/2)
s/n`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import Record

VERSION = 1  # of every dataset: raise it when the same record and crop give other pixels or maps

Scalar = TypeVar("Scalar", bound=np.generic)
FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Crop:
    """A rotated square in the original image.

    Attributes:
        centre: (2,) px in the original image.
        side: px.
        angle_rad: in-plane rotation of the image about the centre.
    """

    centre: FloatArray
    side: float
    angle_rad: float = 0.0

    @cached_property
    def rotation(self) -> FloatArray:
        """3x3 rotation of the image plane about the crop's centre."""
        x, y = self.centre.tolist()
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        return np.array(
            [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0.0, 0.0, 1.0]]
        )

    @property
    def corner(self) -> FloatArray:
        """Top-left corner of the square in the rotated image, px."""
        return self.centre - self.side / 2

    @property
    def reach(self) -> float:
        """How far the square extends from its centre along the axes of the original image, px."""
        return self.side / 2 * (abs(math.cos(self.angle_rad)) + abs(math.sin(self.angle_rad)))

    def camera(self, K: FloatArray) -> FloatArray:
        """Intrinsics of the rotated image (3, 3)."""
        return self.rotation @ K

    def to_cells(self, cells: int, origin: Sequence[float] = (0.0, 0.0)) -> FloatArray:
        """2x3 affine map to the cells of a map with `cells` x `cells` cells.

        From pixels of the original image, or of a window of it whose top-left pixel is `origin` (x, y).
        """
        scale = cells / self.side
        cos, sin = scale * math.cos(self.angle_rad), scale * math.sin(self.angle_rad)
        x, y = (start - middle for start, middle in zip(origin, self.centre.tolist(), strict=True))
        middle_cell = (cells - 1) / 2
        return np.array(
            [[cos, -sin, cos * x - sin * y + middle_cell], [sin, cos, sin * x + cos * y + middle_cell]]
        )


def warp_rgba(record: Record, crop: Crop, cells: int) -> np.ndarray:
    """The crop's RGB, and its soft visible mask as alpha, (cells, cells, 4) uint8.

    Bilinear; averaged over blocks of pixels first where the crop shrinks to half or less. Black and
    transparent where the record ends.
    """
    layers, origin = _cut(record, crop, _margin_px(crop, cells))
    return _warp(layers, origin, crop, cells)


def warp_picture(picture: np.ndarray, crop: Crop, cells: int) -> np.ndarray:
    """The crop's RGB (cells, cells, 3) uint8 of a whole picture (H, W, 3), black where the picture ends.

    Equal to what `warp_rgba` makes of a record of this picture.
    """
    reach = crop.reach + _margin_px(crop, cells)
    left, top = (math.floor(middle - reach) for middle in crop.centre.tolist())
    right, bottom = (math.ceil(middle + reach) + 1 for middle in crop.centre.tolist())
    part = cut(picture, (0, 0), (left, top), (bottom - top, right - left))
    warped = _warp(cv2.cvtColor(part, cv2.COLOR_RGB2RGBA), (left, top), crop, cells)
    return cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB)


def sample_maps(record: Record, crop: Crop, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest samples of mask (cells, cells) bool and quantised coordinates (cells, cells, 3) uint16."""
    affine = crop.to_cells(cells, record.map_origin.tolist())
    mask, coords = (
        cv2.warpAffine(layer, affine, (cells, cells), flags=cv2.INTER_NEAREST)
        for layer in (record.mask, record.coords)
    )
    return mask > 0, coords


def cut(
    image: NDArray[Scalar],
    image_origin: tuple[int, int],
    origin: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[Scalar]:
    """The window of `size` (h, w) at `origin` of an array that starts at `image_origin`.

    Both origins are (x, y) in the pixels of one image; what `image` does not cover is zero.
    """
    dx, dy = origin[0] - image_origin[0], origin[1] - image_origin[1]
    height, width = size
    window = np.zeros((height, width, *image.shape[2:]), image.dtype)
    x0, x1 = max(dx, 0), min(dx + width, image.shape[1])
    y0, y1 = max(dy, 0), min(dy + height, image.shape[0])
    if x0 < x1 and y0 < y1:
        window[y0 - dy : y1 - dy, x0 - dx : x1 - dx] = image[y0:y1, x0:x1]
    return window


def _factor(crop: Crop, cells: int) -> int:
    """Side of the blocks that are averaged first."""
    return max(int(crop.side / cells), 1)


def _margin_px(crop: Crop, cells: int) -> int:
    """What the warp needs around a crop."""
    return 2 * _factor(crop, cells)


def _warp(layers: np.ndarray, origin: tuple[int, int], crop: Crop, cells: int) -> np.ndarray:
    """The crop of the part (h, w, 4) of an image that starts at `origin`."""
    affine, factor = crop.to_cells(cells, origin), _factor(crop, cells)
    if factor > 1:
        layers, affine = _reduce(layers, affine, factor)
    return cv2.warpAffine(layers, affine, (cells, cells), flags=cv2.INTER_LINEAR)


def _cut(record: Record, crop: Crop, margin_px: int) -> tuple[np.ndarray, tuple[int, int]]:
    """RGB and mask (h, w, 4) of the part of a record that a crop needs, and its origin in the image."""
    (x, y), (mask_x, mask_y) = record.crop_origin.tolist(), record.map_origin.tolist()
    middle_x, middle_y = crop.centre.tolist()
    side, reach = record.rgb.shape[0], crop.reach + margin_px
    left, right = _span(middle_x - x, reach, side)
    top, bottom = _span(middle_y - y, reach, side)
    # One warp for both: OpenCV takes four channels in less than half of the time it needs for three.
    layers = cv2.cvtColor(record.rgb[top:bottom, left:right], cv2.COLOR_RGB2RGBA)
    origin = x + left, y + top
    columns, mask_columns = _overlap(mask_x - origin[0], record.mask.shape[1], layers.shape[1])
    rows, mask_rows = _overlap(mask_y - origin[1], record.mask.shape[0], layers.shape[0])
    layers[..., 3] = 0
    layers[rows, columns, 3] = record.mask[mask_rows, mask_columns]
    return layers, origin


def _span(middle: float, reach: float, side: int) -> tuple[int, int]:
    """The pixels of 0 .. side - 1 within `reach` of `middle`, one of them at least."""
    start = min(max(math.floor(middle - reach), 0), side - 1)
    return start, max(min(math.ceil(middle + reach) + 1, side), start + 1)


def _overlap(start: int, length: int, whole: int) -> tuple[slice, slice]:
    """Where `length` pixels from `start` on lie within 0 .. whole - 1, seen from either."""
    low = max(start, 0)
    high = max(min(start + length, whole), low)
    return slice(low, high), slice(low - start, high - start)


def _reduce(layers: np.ndarray, affine: FloatArray, factor: int) -> tuple[np.ndarray, FloatArray]:
    """Average blocks of `factor` x `factor` pixels, and let the affine map start from the result."""
    height, width = layers.shape[:2]
    rest = -height % factor, -width % factor
    padded = cv2.copyMakeBorder(layers, 0, rest[0], 0, rest[1], cv2.BORDER_CONSTANT)
    size = padded.shape[1] // factor, padded.shape[0] // factor
    moved = affine.copy()
    moved[:, :2] *= factor
    moved[:, 2] += affine[:, :2].sum(axis=1) * (factor - 1) / 2  # a block's centre
    return cv2.resize(padded, size, interpolation=cv2.INTER_AREA), moved
