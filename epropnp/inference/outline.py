"""The outline of an object under a pose, from its points alone: no mesh is needed.

What a sampled surface covers is the morphological closing of its projected points by a disc that is as wide
as the gaps between them: all that lies nearer than a radius to some point, less what lies nearer than that to
the outside. Both come from distance transforms, so that the radius costs nothing (Rosenfeld, Pfaltz 1966).
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel

LARGEST_SIDE = 1024  # of a window, its own pixels: all the work an outline takes, however large the picture
FINEST_PX = 0.5  # picture pixels per pixel of a window, at least
RADIUS = 0.65  # of the points' spacing: discs of 0.58 close a net of equilateral triangles
HOLE_RADII = 2.0  # a hole smaller than a disc of so many radii is a gap between points
MARGIN = 0.05  # of the picture's larger side, around the picture: a line that runs there is not seen
NEAREST_M = 1e-6  # from the plane of the camera

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """What an object covers of a picture, in a window around both.

    The centre of the window's pixel (column, row) lies at `origin + step_px * (column, row)` of the picture.
    """

    mask: NDArray[np.uint8]  # (h, w) 0 or 1; reaches beyond the picture where the object does
    origin: Array  # (2,) x, y in px of the picture, outside of it perhaps
    step_px: float  # picture pixels per pixel of the window

    def contours(self) -> list[Array]:
        """Closed polylines (n, 2) in px of the picture, x first: around the object and its holes."""
        lines, _ = cv2.findContours(self.mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        return [self.origin + self.step_px * _smooth(line[:, 0].astype(float)) for line in lines]


def project_points(points: Array, T_cam_obj: Array, K: Array) -> Array | None:
    """Pixels (P, 2) of points (P, 3) in the object's frame; None unless all lie before the camera."""
    with np.errstate(invalid="ignore", over="ignore"):
        points_cam = points @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3]
        if not np.isfinite(points_cam).all() or points_cam[:, 2].min() < NEAREST_M:
            return None
        rays = points_cam @ K.T
    return np.asarray(rays[:, :2] / rays[:, 2:])


def outline_box(model: ObjectModel, T_cam_obj: Array, K: Array) -> Array | None:
    """x, y, w, h (4,) in px of all the object's outline, also of what lies outside of the picture.

    As `Record.box`: x, y are the first column and row, of an object seen whole up to half a pixel. None where
    the pose (4, 4) has a NaN or puts a point behind the camera.
    """
    pixels = project_points(model.points.astype(float), T_cam_obj, K)
    if pixels is None:
        return None
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    return np.concatenate([low + 0.5, high - low])


def box_overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes x, y, w, h (4,); 0 where both are empty."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    common = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(a[2:]) + np.prod(b[2:])) - common
    return common / union if union > 0 else 0.0


def contours(model: ObjectModel, T_cam_obj: Array, K: Array, size: tuple[int, int]) -> list[Array]:
    """The object's outline in a picture: closed polylines (n, 2) in px, none where `silhouette` has none."""
    found = silhouette(model, T_cam_obj, K, size)
    return [] if found is None else found.contours()


def silhouette(model: ObjectModel, T_cam_obj: Array, K: Array, size: tuple[int, int]) -> Silhouette | None:
    """What the object covers of a picture, as if nothing stood before it.

    Args:
        model: its points (P, 3) are the vertices of a surface.
        T_cam_obj: (4, 4), metres.
        K: intrinsics (3, 3) of the picture.
        size: width and height of the picture, px.

    Returns:
        None where the pose has a NaN, puts a point behind the camera or the object outside of the picture.
    """
    points = model.points.astype(float)
    pixels = project_points(points, T_cam_obj, K)
    if pixels is None:
        return None
    nearest_m = float((points @ T_cam_obj[2, :3]).min() + T_cam_obj[2, 3])
    radius_px = RADIUS * float(max(K[0, 0], K[1, 1])) * model.spacing_m / nearest_m
    margin = MARGIN * max(size) + 2 * radius_px
    low = np.maximum(pixels.min(axis=0), -margin)
    high = np.minimum(pixels.max(axis=0), np.array(size) - 1 + margin)
    if (high < 0).any() or (low > np.array(size) - 1).any():
        return None
    step = max(float((high - low + 2 * radius_px).max()) / LARGEST_SIDE, FINEST_PX)
    border = int(np.ceil(radius_px / step)) + 2
    origin = low - border * step
    width, height = (np.ceil((high - low) / step).astype(int) + 1 + 2 * border).tolist()
    cells = np.rint((pixels - origin) / step).astype(int)
    cells = cells[((cells >= 0) & (cells < (width, height))).all(axis=1)]
    bare = np.ones((height, width), np.uint8)
    bare[cells[:, 1], cells[:, 0]] = 0
    return Silhouette(mask=_closed(bare, radius_px / step), origin=origin, step_px=step)


def _closed(bare: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """1 where a disc (radius in px) that holds none of the points, which are the zeros of (h, w), cannot go.

    Small holes are filled.
    """
    reached = (_distance(bare) <= radius).astype(np.uint8)
    mask = (_distance(reached) > radius).astype(np.uint8)
    lines, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    smallest = np.pi * (HOLE_RADII * radius) ** 2
    for line, parent in zip(lines, [] if tree is None else tree[0, :, 3], strict=True):
        if parent >= 0 and cv2.contourArea(line) < smallest:
            cv2.fillPoly(mask, [line], 1)
    return mask


def _distance(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """From each pixel's centre to that of the next zero, px."""
    return np.asarray(cv2.distanceTransform(image, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))


def _smooth(line: Array) -> Array:
    """A closed polyline (n, 2) without the stairs of its pixels."""
    for _ in range(3):
        line = (np.roll(line, 1, axis=0) + 2 * line + np.roll(line, -1, axis=0)) / 4
    return line
