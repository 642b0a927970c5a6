"""A weak check where there are no masks: do silhouettes lie on edges of the pictures?

The picture's gradient across a rendered silhouette is compared with that across the same line moved aside.
Where poses are right it is larger in most pictures; clutter and soft contrast leave much to chance, so that
only the median of many pictures says something.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.pictures import read_picture
from pipelines.readers.finding import Finding
from pipelines.readers.frames import Frame
from pipelines.readers.silhouettes import silhouette
from pipelines.rendering.renderer import Renderer

_BLUR_PX = 1.0
_ASIDE = 0.25  # of the silhouette's longer side ...
_ASIDE_MIN_PX = 6.0  # ... but at least so far
_FEWEST = 20  # pixels of a silhouette's edge
_LIMIT = 95.0  # percentile of gradients
_RIGHT = 1.1  # median contrast from which silhouettes lie on edges

Array = NDArray[np.float64]


def check_edges(frames: Sequence[Frame], renderer: Renderer) -> Finding:
    """Says that without masks nothing can be proved, and what edges make likely.

    Raises:
        UserError: when a picture cannot be read.
    """
    found = [value for frame in frames if (value := edge_contrast(frame, renderer)) is not None]
    text = "geometry: nothing could be checked: there are no masks"
    if not found:
        return Finding(text=text)
    contrast = float(np.median(found))
    text += f"; edges, a weak sign, are {contrast:.2f} times as strong on silhouettes as beside them"
    text += f" (median of {len(found)} pictures)"
    if contrast < _RIGHT:
        text += ": of right sets they are stronger; look at the contact sheet"
    return Finding(text=text, warns=contrast < _RIGHT)


def edge_contrast(frame: Frame, renderer: Renderer) -> float | None:
    """The gradient across a frame's silhouette over that beside it; None where it cannot be measured.

    Raises:
        UserError: when the picture cannot be read.
    """
    if not renderer.is_in_front(frame.T_cam_obj):
        return None
    gradient = _gradient(read_picture(frame.image_file, frame.bits))  # (h, w, 2)
    rendered = silhouette(frame, renderer, (gradient.shape[1], gradient.shape[0]))
    rows, columns = np.nonzero(rendered.edge)
    if not len(rows):
        return None
    pixels = np.stack([columns, rows], axis=1) + np.array(rendered.origin, float)  # (n, 2)
    across = _across(rendered.whole)[rows, columns]
    step = max(_ASIDE * np.ptp(pixels, axis=0).max(), _ASIDE_MIN_PX)
    turns = np.exp(1j * np.pi / 4 * np.arange(8))
    here = _mean_at(gradient, pixels, across)
    beside = [_mean_at(gradient, pixels + step * np.array([z.real, z.imag]), across) for z in turns]
    found = [value for value in beside if value is not None]
    if here is None or not found:
        return None
    return here / max(float(np.mean(found)), 1e-6)


def _gradient(picture: NDArray[np.uint8]) -> Array:
    """The grey values' gradient (h, w, 2), its length limited so that one bright edge does not decide."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), _BLUR_PX)
    gradient = np.stack([cv2.Sobel(grey, cv2.CV_64F, 1, 0), cv2.Sobel(grey, cv2.CV_64F, 0, 1)], axis=2)
    length = np.linalg.norm(gradient, axis=2, keepdims=True)
    limited: Array = gradient * np.minimum(1.0, np.percentile(length, _LIMIT) / np.maximum(length, 1e-6))
    return limited


def _across(mask: NDArray[np.bool_]) -> Array:
    """Unit vectors (h, w, 2) across the edge of a mask."""
    soft = cv2.GaussianBlur(mask.astype(np.float64), (0, 0), 2 * _BLUR_PX)
    normal = np.stack([cv2.Sobel(soft, cv2.CV_64F, 1, 0), cv2.Sobel(soft, cv2.CV_64F, 0, 1)], axis=2)
    unit: Array = normal / np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-9)
    return unit


def _mean_at(gradient: Array, pixels: Array, across: Array) -> float | None:
    """The mean component across, at the pixels (n, 2) that lie in the picture; None where they are few."""
    height, width, _ = gradient.shape
    column, row = np.rint(pixels).astype(int).T
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    if inside.sum() < _FEWEST:
        return None
    return float(np.abs((gradient[row[inside], column[inside]] * across[inside]).sum(axis=1)).mean())
