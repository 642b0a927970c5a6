"""Augmentation at read time: which part of the image is cut out, what is put behind and before the object.

Crop jitter is the dynamic zoom-in (DZI) of CDPN and GDR-Net. What happens to the colours afterwards is in
`epropnp.data.appearance`.
"""

import math

import cv2
import numpy as np

from epropnp.data.config import AugmentConfig
from epropnp.data.crop import Crop

CROP_PER_BOX = 1.5
OCCLUDER_SIDES = (0.1, 0.35)  # of an occluding rectangle, in fractions of the crop
Rectangle = tuple[float, float, float, float]  # x0, y0, x1, y1 in fractions of the crop


def box_crop(box: np.ndarray) -> Crop:
    """The crop used in evaluation: 1.5 x the larger side of the box (x, y, w, h), around its centre."""
    x, y, width, height = box.tolist()
    return Crop(
        np.array([x + (width - 1) / 2, y + (height - 1) / 2]),
        CROP_PER_BOX * max(width, height),
    )


def jittered_crop(
    box: np.ndarray, scale: float, shift: float, rotation_deg: float, rng: np.random.Generator
) -> Crop:
    """`box_crop` with random scale, shift (fractions of the box) and in-plane rotation, uniform in +-."""
    exact = box_crop(box)
    by_scale, by_x, by_y, by_angle = rng.uniform(-1, 1, 4).tolist()
    centre = exact.centre + shift * np.array([by_x, by_y]) * box[2:]
    return Crop(centre, exact.side * (1 + scale * by_scale), math.radians(rotation_deg) * by_angle)


def composite(rgba: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """The object, whose soft mask is the alpha of (H, W, 4), over another picture (H, W, 3); all uint8."""
    alpha = cv2.cvtColor(cv2.extractChannel(rgba, 3), cv2.COLOR_GRAY2RGB)
    front = cv2.multiply(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), alpha, scale=1 / 255)
    return cv2.add(front, cv2.multiply(behind, cv2.bitwise_not(alpha), scale=1 / 255))


def random_piece(
    picture: np.ndarray, size: tuple[int, int], fractions: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """A random part of a picture, perhaps mirrored, resized to `size` (w, h).

    Its sides are one random fraction, out of a range, of the picture's.
    """
    fraction = rng.uniform(*fractions)
    height, width = picture.shape[:2]
    part_height, part_width = int(fraction * height), int(fraction * width)
    y = int(rng.integers(height - part_height + 1))
    x = int(rng.integers(width - part_width + 1))
    piece = cv2.resize(picture[y : y + part_height, x : x + part_width], size)
    return cv2.flip(piece, 1) if rng.random() < 0.5 else piece


def random_rectangles(config: AugmentConfig, rng: np.random.Generator) -> list[Rectangle]:
    """What hides parts of this sample: nothing, or up to `config.occluders` rectangles."""
    if rng.random() >= config.occlusion:
        return []
    count = int(rng.integers(config.occluders)) + 1
    sizes, centres = rng.uniform(*OCCLUDER_SIDES, (count, 2)), rng.uniform(0.1, 0.9, (count, 2))
    return [(*low, *high) for low, high in zip(centres - sizes / 2, centres + sizes / 2, strict=True)]


def rectangle_cells(rectangle: Rectangle, cells: int) -> tuple[slice, slice]:
    """Rows and columns of a map that a rectangle covers; may be empty."""
    x0, y0, x1, y1 = (min(max(round(v * cells), 0), cells) for v in rectangle)
    return slice(y0, y1), slice(x0, x1)
