"""The crop: one affine map from a source image to the network's input, its output maps and the 2D points.

A crop is a square of side s around centre c, rotated by an angle. The rotation is taken into the camera,
`K' = Rot K`, so that pose and coordinate map stay as they are, and points and weights live on the crop's own
axes. Pixel centres are at integer coordinates: cell m of a map with n cells lies at `c - s/2 + (m + 1/2)
s/n`.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from epropnp.data.format import Record

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

    @property
    def rotation(self) -> FloatArray:
        """3x3 rotation of the image plane about the crop's centre."""
        cos, sin = np.cos(self.angle_rad), np.sin(self.angle_rad)
        turn = np.array([[cos, -sin], [sin, cos]])
        out = np.eye(3)
        out[:2, :2] = turn
        out[:2, 2] = self.centre - turn @ self.centre
        return out

    @property
    def corner(self) -> FloatArray:
        """Top-left corner of the square in the rotated image, px."""
        return self.centre - self.side / 2

    def camera(self, K: FloatArray) -> FloatArray:
        """Intrinsics of the rotated image (3, 3)."""
        return self.rotation @ K

    def to_cells(self, cells: int) -> FloatArray:
        """2x3 affine map from original pixels to the cells of a map with `cells` x `cells` cells."""
        scale = cells / self.side
        shrink = np.diag([scale, scale, 1.0])
        shrink[:2, 2] = -self.corner * scale - 0.5
        return np.asarray((shrink @ self.rotation)[:2])


def warp_image(record: Record, crop: Crop, cells: int) -> np.ndarray:
    """The crop's RGB, (cells, cells, 3) uint8, bilinear; black where the record ends."""
    affine = _from_window(crop.to_cells(cells), record.crop_origin)
    return cv2.warpAffine(record.rgb, affine, (cells, cells), flags=cv2.INTER_LINEAR)


def warp_alpha(record: Record, crop: Crop, cells: int) -> np.ndarray:
    """The crop's soft visible mask, (cells, cells) float32 in [0, 1]."""
    affine = _from_window(crop.to_cells(cells), record.map_origin)
    warped = cv2.warpAffine(record.mask, affine, (cells, cells), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.float32) / 255


def sample_maps(record: Record, crop: Crop, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest samples of mask (cells, cells) bool and quantised coordinates (cells, cells, 3) uint16."""
    affine = np.vstack([_from_window(crop.to_cells(cells), record.map_origin), [0, 0, 1]])
    inverse = np.linalg.inv(affine)
    grid = np.arange(cells, dtype=np.float64)
    x = inverse[0, 0] * grid[None] + inverse[0, 1] * grid[:, None] + inverse[0, 2]
    y = inverse[1, 0] * grid[None] + inverse[1, 1] * grid[:, None] + inverse[1, 2]
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    height, width = record.mask.shape
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clip(0, width - 1), row.clip(0, height - 1)
    return inside & (record.mask[row, column] > 0), record.coords[row, column]


def _from_window(affine: FloatArray, origin: np.ndarray) -> FloatArray:
    """Let a map from original pixels start from a window whose top-left pixel is `origin`."""
    moved = affine.copy()
    moved[:, 2] += affine[:, :2] @ origin.astype(np.float64)
    return moved
