"""How much of an object is seen in a picture, where no table of the data set says it.

As BOP has it: the visible part of the silhouette over all of it, what lies outside of the picture included.
Both are counted in a rendering of at most 64 x 64 pixels: a few milliseconds a picture, and near enough to
tell a tenth from nothing.
"""

from dataclasses import replace

import numpy as np

from epropnp.data.pictures import read_picture
from pipelines.readers.frames import Frame, hidden_by, load_mask
from pipelines.readers.masks import read_mask
from pipelines.rendering.camera_views import project
from pipelines.rendering.renderer import Renderer

_SIDE = 64  # pixels of the silhouette's longer side; one that is smaller keeps its size


def seen_share(frame: Frame, renderer: Renderer) -> float:
    """The share of its silhouette that is seen of the frame's object, 0 to 1.

    Where there is a mask, its pixels count; otherwise the frame's occluders hide what is behind them. An
    object that reaches behind the camera cannot be rendered and counts as unseen.

    Raises:
        UserError: when picture or mask is unreadable, or their sizes differ.
    """
    T_cam_obj = frame.T_cam_obj
    if not renderer.is_in_front(T_cam_obj):
        return 0.0
    corners = project(renderer.hull, T_cam_obj, frame.K)
    low = np.floor(corners.min(axis=0)) - 1
    extent = corners.max(axis=0) + 2 - low
    scale = min(1.0, _SIDE / float(extent.max()))
    shrink = np.array([[scale, 0, -scale * low[0]], [0, scale, -scale * low[1]], [0, 0, 1]])
    small = replace(frame, K=shrink @ frame.K)
    size = (int(np.ceil(scale * extent[0])) + 1, int(np.ceil(scale * extent[1])) + 1)
    maps = renderer.maps(T_cam_obj, small.K, size)
    whole = int(maps.mask.sum())
    if whole == 0:
        return 0.0
    height, width, _ = read_picture(frame.image_file, frame.bits).shape
    if frame.mask_file is not None:
        mask = read_mask(frame.mask_file, frame.mask_value)
        seen = float(load_mask(frame, (width, height)).sum()) * scale**2 if mask.any() else 0.0
        return min(1.0, seen / whole)
    rows, columns = np.nonzero(hidden_by(frame.occluders, maps, small, size).mask)
    x, y = (columns + maps.origin[0]) / scale + low[0], (rows + maps.origin[1]) / scale + low[1]
    inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    return float(inside.sum() / whole)
