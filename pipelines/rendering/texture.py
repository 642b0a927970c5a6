"""Textures: a picture looked up at texture coordinates, at the scale at which it is seen.

Colours are interpolated in linear light. A pyramid of halved pictures (Williams 1983) keeps a large
texture on a small object from flickering.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

DISPLAY_GAMMA = 2.2
_LINEAR = (np.arange(256) / 255.0).astype(np.float32) ** np.float32(DISPLAY_GAMMA)
_SMALLEST = 4  # texels along the shorter side of the pyramid's top


class Texture:
    """A picture (H, W, 3) uint8 sRGB, repeated beyond the unit square of its coordinates."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels
        self._levels = [pixels]
        light = _LINEAR[pixels]
        while min(light.shape[:2]) >= 2 * _SMALLEST:
            size = (light.shape[1] // 2, light.shape[0] // 2)
            light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
            self._levels.append(np.rint(255.0 * light ** (1.0 / DISPLAY_GAMMA)).astype(np.uint8))

    def linear(self, uv: NDArray[np.float32], texels_per_sample: float = 1.0) -> NDArray[np.float32]:
        """Linear colours (n, 3) at coordinates (n, 2): u to the right, v upwards.

        `texels_per_sample` is the distance of neighbouring samples in texels of the finest level.
        """
        wanted = round(math.log2(max(texels_per_sample, 1.0)))
        pixels = self._levels[min(wanted, len(self._levels) - 1)]
        height, width = pixels.shape[:2]
        x = uv[:, 0] * width - 0.5
        y = (1.0 - uv[:, 1]) * height - 0.5
        left, top = np.floor(x), np.floor(y)
        right_share, bottom_share = (x - left)[:, None], (y - top)[:, None]
        columns = [(left.astype(np.int64) + i) % width for i in (0, 1)]
        rows = [(top.astype(np.int64) + i) % height for i in (0, 1)]
        (a, b), (c, d) = ([_LINEAR[pixels[row, column]] for column in columns] for row in rows)
        upper = a + right_share * (b - a)
        blended: NDArray[np.float32] = upper + bottom_share * (c + right_share * (d - c) - upper)
        return blended

    def colours(self, uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """sRGB colours in [0, 1], (n, 3), at coordinates (n, 2)."""
        return self.linear(uv) ** np.float32(1.0 / DISPLAY_GAMMA)
