"""Random changes to a crop's colours, sharpness and noise. Geometry stays as it is.

Brightness, contrast, saturation, tint and fading are one affine map of RGB, applied in a single pass.
"""

from functools import lru_cache

import cv2
import numpy as np

from epropnp.data.config import AugmentConfig

_NOISE_SIGMA = 32  # grey levels of the stored noise's standard deviation


def jitter_appearance(image: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """Blur, recolour and roughen (H, W, 3) uint8, as `config` says."""
    if config.blur and rng.random() < config.blur:
        image = _blur(image, rng.uniform(0.3, max(config.blur_px, 0.3)))
    if config.color or config.grey:
        image = cv2.transform(image, _random_colours(np.array(cv2.mean(image)[:3]), config, rng))
    if config.noise:
        image = _add_noise(image, config.noise * rng.random(), rng)
    return image


def _blur(image: np.ndarray, sigma_px: float) -> np.ndarray:
    radius = max(round(2.5 * sigma_px), 1)
    kernel = cv2.getGaussianKernel(2 * radius + 1, sigma_px, cv2.CV_32F)
    return cv2.sepFilter2D(image, -1, kernel, kernel)  # faster than GaussianBlur on bytes


def _random_colours(mean: np.ndarray, config: AugmentConfig, rng: np.random.Generator) -> np.ndarray:
    """A map (3, 4) of RGB in grey levels; `mean` (3,) is the image's."""
    brightness, contrast, saturation, *tint = rng.uniform(-1, 1, 6)
    colourful = 1 + config.color * saturation
    if rng.random() < config.grey:
        colourful *= rng.random()
    gain = (1 + config.color * brightness) * (1 + 0.3 * config.color * np.array(tint))
    linear = gain[:, None] * (colourful * np.eye(3) + (1 - colourful) / 3)
    steepness = 1 + config.color * contrast
    affine = np.empty((3, 4))
    affine[:, :3] = steepness * linear
    affine[:, 3] = (1 - steepness) * (linear @ mean).mean()  # contrast turns about the mean grey
    return affine


def _add_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise of a standard deviation given in fractions of white."""
    stored = _stored_noise(image.size)
    start = int(rng.integers(stored.size - image.size))
    noise = stored[start : start + image.size].reshape(image.shape)
    weight = 255 * sigma / _NOISE_SIGMA
    return cv2.addWeighted(image, 1.0, noise, weight, -128 * weight)


@lru_cache(maxsize=4)
def _stored_noise(size: int) -> np.ndarray:
    """Normal noise around 128, four times as much as an image needs: drawing it anew costs a millisecond."""
    normal = np.random.default_rng(0).standard_normal(4 * size, np.float32)
    return np.rint(128 + _NOISE_SIGMA * normal).clip(0, 255).astype(np.uint8)
