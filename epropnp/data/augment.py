"""Augmentation at read time: crop jitter (DZI), background replacement, occlusion, colour, blur and noise.

The defaults are the report's settings: crop 1.5 x box, scale and centre jittered by a quarter of the box,
background always replaced for rendered images and for half of the real ones, and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from epropnp.data.crop import Crop
from epropnp.data.format import Record

CROP_PER_BOX = 1.5


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Ranges and probabilities of the random changes to a training sample."""

    scale_jitter: float = 0.25  # crop side, +- fraction
    shift_jitter: float = 0.25  # crop centre, +- fraction of the box
    rotation_deg: float = 0.0  # in-plane rotation, +-
    background_synthetic: float = 1.0  # probability that a rendered image gets a new background
    background_real: float = 0.5  # the same for a photograph
    occlusion: float = 0.0  # probability of a rectangle of background over part of the crop
    color: float = 0.0  # strength of brightness, contrast, saturation and tint changes
    blur: float = 0.0  # probability of a Gaussian blur of up to 1.5 px
    noise: float = 0.0  # largest standard deviation of additive noise, in fractions of white


def box_crop(record: Record) -> Crop:
    """The crop used in evaluation: 1.5 x the larger side of the box, around its centre."""
    x, y, width, height = record.box.astype(np.float64)
    centre = np.array([x + (width - 1) / 2, y + (height - 1) / 2])
    return Crop(centre, CROP_PER_BOX * max(width, height))


def jittered_crop(record: Record, config: AugmentConfig, rng: np.random.Generator) -> Crop:
    """The evaluation crop with random scale, shift and in-plane rotation."""
    exact = box_crop(record)
    scale = 1 + config.scale_jitter * rng.uniform(-1, 1)
    shift = config.shift_jitter * rng.uniform(-1, 1, 2) * record.box[2:]
    angle = np.deg2rad(config.rotation_deg) * rng.uniform(-1, 1)
    return Crop(exact.centre + shift, exact.side * scale, angle)


def replace_background(
    image: np.ndarray,
    alpha: np.ndarray,
    backgrounds: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Composite the object (alpha (H, W) in [0, 1]) over a random piece of a random background."""
    behind = random_background(backgrounds, image.shape[0], rng)
    blend = alpha[..., None]
    return np.asarray(image * blend + behind * (1 - blend) + 0.5, np.uint8)


def random_background(backgrounds: Sequence[np.ndarray], side: int, rng: np.random.Generator) -> np.ndarray:
    """A random square of a random background, perhaps mirrored, (side, side, 3) uint8."""
    photo = backgrounds[int(rng.integers(len(backgrounds)))]
    extent = int(photo.shape[0] * rng.uniform(0.4, 1.0))
    x, y = rng.integers(photo.shape[0] - extent + 1, size=2)
    piece = photo[y : y + extent, x : x + extent]
    return cv2.resize(piece[:, ::-1] if rng.random() < 0.5 else piece, (side, side))


def occluder(config: AugmentConfig, rng: np.random.Generator) -> tuple[float, float, float, float] | None:
    """A rectangle (x0, y0, x1, y1) in fractions of the crop, or nothing."""
    if rng.random() >= config.occlusion:
        return None
    width, height = rng.uniform(0.1, 0.4, 2)
    x, y = rng.uniform(0.1, 0.9, 2) - (width / 2, height / 2)
    return x, y, x + width, y + height


def rectangle_cells(rectangle: tuple[float, float, float, float], cells: int) -> tuple[slice, slice]:
    """Rows and columns of a map that a rectangle in fractions of the crop covers."""
    x0, y0, x1, y1 = (int(np.clip(round(v * cells), 0, cells)) for v in rectangle)
    return slice(y0, y1), slice(x0, x1)


def jitter_appearance(image: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Random tint, brightness, contrast, saturation, blur and noise on (H, W, 3) uint8."""
    if config.blur and rng.random() < config.blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    if not config.color and not config.noise:
        return image
    values = image.astype(np.float32)
    if config.color:
        gain = (1 + config.color * rng.uniform(-1, 1)) * (1 + 0.3 * config.color * rng.uniform(-1, 1, 3))
        contrast = 1 + config.color * rng.uniform(-1, 1)
        saturation = 1 + config.color * rng.uniform(-1, 1)
        grey = values.mean(2, keepdims=True)
        values = (grey + (values - grey) * np.float32(saturation)) * gain.astype(np.float32)
        middle = np.float32(values.mean())
        values = (values - middle) * np.float32(contrast) + middle
    if config.noise:
        sigma = np.float32(255 * config.noise * rng.random())
        values += sigma * rng.standard_normal(values.shape, dtype=np.float32)
    return np.asarray(values.clip(0, 255) + 0.5, np.uint8)
