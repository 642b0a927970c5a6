"""From a view of one object to a record: tight box, square crop, maps in the box's window."""

import math

import numpy as np
from numpy.typing import NDArray

from epropnp.data.crop import cut
from epropnp.data.schema import ObjectModel, Record, quantise
from pipelines.rendering.renderer import ObjectMaps

Box = tuple[int, int, int, int]  # x, y, w, h

CROP_FACTOR = 2.4
"""Side of the stored crop in box sides.

Training crops are 1.5 x box, scaled by up to 25 % and shifted by up to 25 % of the box: they reach
1.5 * 1.25 / 2 + 0.25 = 1.1875 boxes from the box's centre.
"""


def mask_box(mask: NDArray[np.bool_], origin: tuple[int, int] = (0, 0)) -> Box:
    """Tight box (x, y, w, h) of a mask whose top-left pixel is `origin`; `mask` must not be empty.

    It covers the pixel centres x .. x + w - 1.
    """
    rows = np.nonzero(mask.any(axis=1))[0]
    columns = np.nonzero(mask.any(axis=0))[0]
    size = (int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1)
    return (origin[0] + int(columns[0]), origin[1] + int(rows[0]), *size)


def crop_window(box: Box) -> tuple[tuple[int, int], int]:
    """Origin (x, y) and side of the square crop around a box; it may reach out of the image."""
    x, y, width, height = box
    side = math.ceil(CROP_FACTOR * max(width, height))
    left = math.floor(x + (width - 1) / 2 - (side - 1) / 2 + 0.5)
    top = math.floor(y + (height - 1) / 2 - (side - 1) / 2 + 0.5)
    return (left, top), side


def encode(
    *,
    model: ObjectModel,
    sample_id: str,
    synthetic: bool,
    K: NDArray[np.float64],
    T_cam_obj: NDArray[np.float64],
    image_size: tuple[int, int],
    rgb: NDArray[np.uint8],
    box: Box,
    maps: ObjectMaps,
    visible: NDArray[np.bool_] | None = None,
    detected_box: tuple[float, float, float, float] | None = None,
) -> Record:
    """Builds the record of a view whose crop `rgb` is that of `crop_window(box)`.

    The mask is the rendered one within the box, and within `visible` (image height, width) where
    that is given: the pixels that have a coordinate.
    """
    window, shape = (box[0], box[1]), (box[3], box[2])
    mask = cut(maps.mask, maps.origin, window, shape)
    if visible is not None:
        mask &= cut(visible, (0, 0), window, shape)
    coords = quantise(cut(maps.coords, maps.origin, window, shape), model)
    return Record(
        object_id=model.object_id,
        sample_id=sample_id,
        synthetic=synthetic,
        K=K,
        T_cam_obj=T_cam_obj,
        box=np.array(box, np.float32),
        detected_box=None if detected_box is None else np.array(detected_box, np.float32),
        image_size=np.array(image_size, np.int32),
        crop_origin=np.array(crop_window(box)[0], np.int32),
        rgb=rgb,
        map_origin=np.array(window, np.int32),
        mask=mask.astype(np.uint8) * np.uint8(255),
        coords=coords * mask[..., None].astype(np.uint16),
    )
