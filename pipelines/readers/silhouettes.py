"""How well the mask that comes with a frame fits the silhouette that its pose, camera and mesh make.

Pixels at the silhouette's edge are not counted: where pixel centres lie, whether a half covered pixel
belongs to a mask, and how it was drawn move edges by up to one. Of a right set all that is left fits,
whatever the object's size in the picture.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.crop import cut
from pipelines.readers.frames import Frame
from pipelines.readers.masks import read_mask
from pipelines.rendering.renderer import Renderer

_NEIGHBOURS = np.ones((3, 3), np.uint8)
_ROOM_PX = 2  # round a silhouette, for its edge
_SMALLEST = 30  # pixels of a silhouette within its edge: of fewer, nothing can be said

Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A frame's mask against its rendering: of a right one, all but the last are 1.

    `overlap` is the intersection over union, `inside` the share of the mask that lies in the rendering,
    `area` the mask's pixels over those that the rendering and the visible share make expected.
    """

    overlap: float
    inside: float
    area: float
    scale: float  # width of the mask in widths of the rendering
    offset_px: float  # between their centres


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """The object as it is rendered in a frame, in a window of the picture, which it may reach out of."""

    origin: tuple[int, int]  # x, y of the window's top-left pixel in the picture
    whole: Mask  # (h, w)
    in_picture: Mask  # (h, w) which pixels of the window the picture has

    @property
    def edge(self) -> Mask:
        """The pixels on both sides of its edge."""
        picture = self.whole.astype(np.uint8)
        found: Mask = cv2.dilate(picture, _NEIGHBOURS) != cv2.erode(picture, _NEIGHBOURS)
        return found


def silhouette(frame: Frame, renderer: Renderer, size: tuple[int, int]) -> Silhouette:
    """Renders a frame's object, which must be in front, into a picture of `size` (width, height).

    What lies outside of the picture is there, too, as far as the picture is large.
    """
    room = max(size)
    K = frame.K + np.array([[0, 0, room], [0, 0, room], [0, 0, 0]])
    maps = renderer.maps(frame.T_cam_obj, K, (size[0] + 2 * room, size[1] + 2 * room))
    start = maps.origin[0] - _ROOM_PX, maps.origin[1] - _ROOM_PX
    shape = maps.mask.shape[0] + 2 * _ROOM_PX, maps.mask.shape[1] + 2 * _ROOM_PX
    origin = start[0] - room, start[1] - room
    return Silhouette(
        origin=origin,
        whole=cut(maps.mask, maps.origin, start, shape),
        in_picture=cut(np.ones(size[::-1], bool), (0, 0), origin, shape),
    )


def fit_of(frame: Frame, renderer: Renderer) -> Fit | None:
    """Compares a frame's mask, of the whole object where there is one, with its rendering.

    None where the frame has no mask, the silhouette is too small to say anything, or the object is not
    wholly in front of the camera.

    Raises:
        UserError: when the mask cannot be read.
    """
    file = frame.whole_mask_file or frame.mask_file
    if file is None or not renderer.is_in_front(frame.T_cam_obj):
        return None
    given = read_mask(file, frame.mask_value if file == frame.mask_file else None)
    rendered = silhouette(frame, renderer, (given.shape[1], given.shape[0]))
    edge, shape = rendered.edge, rendered.whole.shape
    mask = cut(given, (0, 0), rendered.origin, (shape[0], shape[1]))
    inner = rendered.whole & ~edge
    shown = inner & rendered.in_picture
    counted = int(given.sum() - (mask & edge).sum())  # elsewhere in the picture, too
    if max(counted, shown.sum()) < _SMALLEST:
        return None
    common = int((mask & shown).sum())
    share = 1.0 if frame.visible_share is None else frame.visible_share
    expected = shown.sum() if file == frame.whole_mask_file else share * inner.sum()
    seen = rendered.whole & rendered.in_picture
    return Fit(
        overlap=common / (counted + int(shown.sum()) - common),
        inside=common / max(counted, 1),
        area=counted / max(float(expected), 1.0),
        scale=float(np.sqrt(given.sum() / max(seen.sum(), 1))),
        offset_px=_distance_px(given, (0, 0), seen, rendered.origin),
    )


def transposed(frame: Frame) -> Frame:
    """The frame with its rotation read column by column."""
    T_cam_obj = frame.T_cam_obj.copy()
    T_cam_obj[:3, :3] = T_cam_obj[:3, :3].T
    return replace(frame, T_cam_obj=T_cam_obj)


def _distance_px(a: Mask, a_origin: tuple[int, int], b: Mask, b_origin: tuple[int, int]) -> float:
    """Between the centres of two masks; NaN where one is empty."""
    if not (a.any() and b.any()):
        return float("nan")
    centres = [
        np.mean(np.nonzero(mask), axis=1)[::-1] + origin for mask, origin in ((a, a_origin), (b, b_origin))
    ]
    return float(np.linalg.norm(centres[0] - centres[1]))
