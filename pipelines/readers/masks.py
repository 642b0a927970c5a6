"""Masks as they come: of one channel or several, palettes, 16 bits, JPEG; pixels as they are stored."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.pictures import JPEG, by_pillow, decode, read_content

_JPEG_NOISE = 127  # in masks: what lies on black


def read_mask(file: Path, value: int | None = None) -> NDArray[np.bool_]:
    """Where a mask (h, w) has that value, or any but 0 without one; of several channels the largest counts.

    Of a palette, colours decide, or, where they tell nothing apart, numbers; for a value, numbers first. What
    is transparent is 0, and so is dark noise in a JPEG. UserError as of `read_picture`.
    """
    content = read_content(file)
    layers = [_channel(decode(content, cv2.IMREAD_UNCHANGED, file))]
    if content.startswith(JPEG):
        layers = [layers[0] > _JPEG_NOISE]
    indices = by_pillow(content, "P")
    if indices is not None:
        layers.insert(len(layers) if value is None else 0, indices)
    masks = [layer != 0 if value is None else layer == value for layer in layers]
    return next((mask for mask in masks if mask.any() and not mask.all()), masks[0])


def _channel(picture: NDArray[Any]) -> NDArray[Any]:
    """The largest of the channels (h, w), 0 where it is transparent."""
    if picture.ndim == 2:
        return picture
    largest: NDArray[Any] = picture[..., :3].max(axis=2)
    if picture.shape[2] == 4 and picture[..., 3].any():
        largest = largest * (picture[..., 3] > 0)
    return largest
