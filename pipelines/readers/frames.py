"""Frames of an object that were given, not rendered here, and the records made of them.

A record's mask holds the pixels where given mask and coordinate map agree. Where no mask is given, the
other annotated objects are rendered, too, and hide what is behind them; things without annotation
cannot.

Pixel centres are at integer coordinates, here as everywhere, and K is taken as it is given. BOP's masks
were rendered with OpenGL's centres, at half-integers: with K moved by (-0.5, -0.5) ours equal them
(IoU 0.9999), with K as given the IoU is 0.96. The photographs have their centres at integers. On 339 of
the cat's, silhouette edges were compared with renderings, and their distances explained by a shift in
the image and a constant error of the annotation in the object's frame: the shift is
(+0.13 +- 0.03, +0.58 +- 0.08) px, the error 4 mm along z. Without that error the edges lie
(-0.3 +- 0.07, -1.1 +- 0.07) px off, which looks like half a pixel and is not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from epropnp.data.crop import cut
from epropnp.data.pictures import read_picture
from epropnp.data.schema import ObjectModel, Record
from epropnp.errors import UserError
from pipelines.readers.masks import read_mask
from pipelines.readers.safe_pickle import read_pickle
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.records import crop_window, encode, mask_box
from pipelines.rendering.renderer import ObjectMaps, Renderer

_AGREEMENT_MIN = 0.1  # of the given mask that the pose must cover: less is an error, not an occlusion
_REPROJECTION_MAX_PX = 2.0  # of a given coordinate map, median
_OPEN_OCCLUDERS = 32  # meshes kept in each process

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Occluder:
    """Another annotated object of the same picture, which may hide a part of the first."""

    mesh_file: Path
    unit_m: float  # of the mesh's coordinates
    T_cam_obj: Array  # (4, 4) metres


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One given view of one object."""

    sample_id: str
    K: Array  # (3, 3)
    T_cam_obj: Array  # (4, 4) metres
    image_file: Path
    mask_file: Path | None  # of the visible part; None where it has to be rendered
    mask_value: int | None = None  # of the object's pixels; any but 0 without one
    coords_file: Path | None = None  # a pickled coordinate map; rendered without one
    occluders: tuple[Occluder, ...] = ()  # consulted where there is no mask
    detected_box: tuple[float, float, float, float] | None = None  # x, y, w, h in pixels
    synthetic: bool = False
    bits: int | None = None  # of a picture's values, where they are stored in 16
    # Of no record, but to prove the geometry by:
    whole_mask_file: Path | None = None  # of the whole object, hidden parts included
    visible_share: float | None = None  # of the silhouette, where the data set states it

    @property
    def files(self) -> tuple[Path, ...]:
        """What a record is made of, but for meshes."""
        return tuple(file for file in (self.image_file, self.mask_file, self.coords_file) if file)


@dataclass(frozen=True, kw_only=True)
class RealFrames:
    """The frames of one object by split, and what there is to say about those left out, with numbers."""

    by_split: dict[str, tuple[Frame, ...]]
    notes: dict[str, int]


def spread(frames: Sequence[Frame], count: int) -> list[Frame]:
    """So many of the frames, or all where there are fewer, spread evenly."""
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), count)).round().astype(int)
    return [frames[i] for i in chosen]


def frame_record(frame: Frame, renderer: Renderer, model: ObjectModel) -> Record:
    """Reads one frame, its coordinate map and mask; renders what of them is not given.

    Raises:
        UserError: when a file is broken, or picture, mask, map and pose do not belong together.
    """
    picture = read_picture(frame.image_file, frame.bits)
    image_size = (picture.shape[1], picture.shape[0])
    if not renderer.is_in_front(frame.T_cam_obj):
        raise UserError(f"{frame.image_file}: the pose puts {model.name} behind the camera, or through it")
    if frame.coords_file is None:
        maps = renderer.maps(frame.T_cam_obj, frame.K, image_size)
    else:
        maps = load_coordinates(frame, image_size)
    if frame.mask_file is None:
        maps = hidden_by(frame.occluders, maps, frame, image_size)
        if not maps.mask.any():
            raise UserError(f"{frame.image_file}: the pose leaves nothing of {model.name} in the picture")
        visible, box = None, mask_box(maps.mask, maps.origin)
    else:
        visible = load_mask(frame, image_size)
        box = mask_box(visible)
        shown = maps.mask & cut(visible, (0, 0), maps.origin, _shape(maps))
        if shown.sum() < _AGREEMENT_MIN * visible.sum():
            raise UserError(f"{frame.mask_file} does not lie where the pose puts {model.name}")
    origin, side = crop_window(box)
    return encode(
        model=model,
        sample_id=frame.sample_id,
        synthetic=frame.synthetic,
        K=frame.K,
        T_cam_obj=frame.T_cam_obj,
        image_size=image_size,
        rgb=cut(picture, (0, 0), origin, (side, side)),
        box=box,
        maps=maps,
        visible=visible,
        detected_box=frame.detected_box,
    )


def load_mask(frame: Frame, image_size: tuple[int, int]) -> NDArray[np.bool_]:
    """The given mask of the visible part, (h, w); UserError when unreadable, empty or of another size."""
    assert frame.mask_file is not None
    visible = read_mask(frame.mask_file, frame.mask_value)
    if visible.shape != image_size[::-1]:
        raise UserError(f"{frame.mask_file} is not as large as the picture {frame.image_file}")
    if not visible.any():
        wanted = "" if frame.mask_value is None else f" of value {frame.mask_value}"
        raise UserError(f"{frame.mask_file} is empty: it has no pixel{wanted}")
    return visible


def load_coordinates(frame: Frame, image_size: tuple[int, int]) -> ObjectMaps:
    """The given coordinate map: a pickled table with `coor` (h, w, 3) in metres, 0 where the object is
    not, whose top-left pixel is column `l` and row `u` of the image.
    """
    file = frame.coords_file
    assert file is not None
    table = read_pickle(file)
    try:
        coords = np.asarray(table["coor"], np.float64)
        left, top = int(table["l"]), int(table["u"])
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{file} is no coordinate map with 'coor', 'u' and 'l': {error!r}") from None
    if coords.ndim != 3 or coords.shape[2] != 3 or not np.isfinite(coords).all():
        raise UserError(f"{file}: 'coor' must hold finite numbers (h, w, 3), not {coords.shape}")
    inside = 0 <= left <= image_size[0] - coords.shape[1] and 0 <= top <= image_size[1] - coords.shape[0]
    maps = ObjectMaps(origin=(left, top), mask=(coords != 0).any(axis=2), coords=coords)
    if not inside or not maps.mask.any() or _reprojection_px(maps, frame) > _REPROJECTION_MAX_PX:
        raise UserError(f"{file} does not lie where pose and camera put the object")
    return maps


def _reprojection_px(maps: ObjectMaps, frame: Frame) -> float:
    """Median distance between pixels and projections of their coordinates."""
    rows, columns = np.nonzero(maps.mask)
    points = maps.coords[rows, columns] @ frame.T_cam_obj[:3, :3].T + frame.T_cam_obj[:3, 3]
    if points[:, 2].min() <= 0:
        return np.inf
    pixels = points @ frame.K.T
    error = pixels[:, :2] / pixels[:, 2:] - np.stack([columns, rows], axis=1) - maps.origin
    return float(np.median(np.linalg.norm(error, axis=1)))


def hidden_by(
    occluders: tuple[Occluder, ...], maps: ObjectMaps, frame: Frame, image_size: tuple[int, int]
) -> ObjectMaps:
    """The maps, their mask less the pixels at which an occluder is nearer to the frame's camera."""
    mask, depth = maps.mask.copy(), _depth(maps, frame.T_cam_obj)
    for occluder in occluders:
        renderer = given_renderer(occluder.mesh_file, occluder.unit_m)
        front = renderer.maps(occluder.T_cam_obj, frame.K, image_size)
        nearer = cut(_depth(front, occluder.T_cam_obj), front.origin, maps.origin, _shape(maps))
        mask &= (nearer == 0) | (nearer >= depth)
    return replace(maps, mask=mask)


def _depth(maps: ObjectMaps, T_cam_obj: Array) -> Array:
    """Distance along the optical axis (h, w) in metres, 0 outside the mask."""
    depth: Array = (maps.coords @ T_cam_obj[2, :3] + T_cam_obj[2, 3]) * maps.mask
    return depth


def _shape(maps: ObjectMaps) -> tuple[int, int]:
    return maps.mask.shape[0], maps.mask.shape[1]


@lru_cache(maxsize=_OPEN_OCCLUDERS)
def given_renderer(mesh_file: Path, unit_m: float) -> Renderer:
    """The renderer of a mesh file; the last few are kept."""
    return Renderer(Mesh.load(mesh_file, unit_m=unit_m))
