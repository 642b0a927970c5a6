"""Where another object stands in front of the rendered one: upright, nearer to the camera, in part."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.rendering.renderer import ObjectMaps, Renderer

PROBABILITY = 0.3  # of a sample to have an occluder
COVER_MIN, COVER_MAX = 0.02, 0.4  # share of the object's pixels that an occluder may hide
_GAP_M = (0.01, 0.15)  # between the two objects along the optical axis; less of objects below 10 cm
_DEPTH_MIN_M = 0.15  # of any part of the occluder; likewise
_FULL_SIZE_M = 0.1
_TRIES = 20
_TESTED_PIXELS = 1000  # of the object's mask, at which the cover is measured

Array = NDArray[np.float64]


def place_occluder(
    rng: np.random.Generator,
    occluder: Renderer,
    hull: Array,
    T_cam_obj: Array,
    K: Array,
    maps: ObjectMaps,
) -> Array | None:
    """Draws the occluder's pose `T_cam_occluder` (4, 4); None where none of the tries fits.

    The occluder shares the object's up direction, as things on one table do, and is wholly nearer
    to the camera than the object, whose hull points (n, 3) and maps are given.
    """
    angle = rng.uniform(0.0, 2.0 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    R = T_cam_obj[:3, :3] @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    centre = (occluder.hull.min(axis=0) + occluder.hull.max(axis=0)) / 2.0
    turned = (occluder.hull - centre) @ R.T  # (m, 3) along the camera's axes
    scale = min(1.0, float(np.linalg.norm(np.ptp(hull, axis=0))) / _FULL_SIZE_M)
    object_depth = (hull @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3])[:, 2].min()
    depth = object_depth - scale * rng.uniform(*_GAP_M) - turned[:, 2].max()
    if depth + turned[:, 2].min() < scale * _DEPTH_MIN_M:
        return None
    pixels = _mask_pixels(maps)
    tested = pixels[:: max(1, len(pixels) // _TESTED_PIXELS)]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    half_px = (high - low) / 2.0 + np.ptp(turned[:, :2], axis=0) / 2.0 / depth * np.diag(K)[:2]
    T_cam_occluder = np.eye(4)
    T_cam_occluder[:3, :3] = R
    for _ in range(_TRIES):
        direction, reach = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.2, 1.0)
        pixel = (low + high) / 2.0 + reach * half_px * (np.cos(direction), np.sin(direction))
        ray = np.linalg.solve(K, np.array([pixel[0], pixel[1], 1.0]))
        T_cam_occluder[:3, 3] = ray * depth - R @ centre
        if COVER_MIN <= occluder.covers(tested, T_cam_occluder, K).mean() <= COVER_MAX:
            return T_cam_occluder
    return None


def hide(maps: ObjectMaps, occluder: Renderer, T_cam_occluder: Array, K: Array) -> ObjectMaps:
    """The maps with the mask of what the occluder leaves to be seen."""
    mask = maps.mask.copy()
    mask[mask] = ~occluder.covers(_mask_pixels(maps), T_cam_occluder, K)
    return replace(maps, mask=mask)


def _mask_pixels(maps: ObjectMaps) -> Array:
    """Pixels (n, 2) of the image in the mask, row by row."""
    rows, columns = np.nonzero(maps.mask)
    return np.stack([columns, rows], axis=1).astype(np.float64) + maps.origin
