"""Where a plan's renderings are taken from: as in the set's own frames, or as flags say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from epropnp.data.pictures import picture_size
from epropnp.data.schema import SPLITS
from epropnp.errors import UserError
from pipelines.building.config import BuildConfig
from pipelines.building.sources import Source
from pipelines.objects import LINEMOD, ObjectInfo
from pipelines.readers.camera_file import read_camera
from pipelines.readers.frames import Frame, RealFrames, spread
from pipelines.rendering.camera_views import LINEMOD_K, ViewRange, viewpoint_of
from pipelines.rendering.views import LINEMOD_CAMERA, LINEMOD_VIEWS, Camera, GivenViews, RangedViews, Views

_SAME_CAMERA_PX = 20.0  # in focal length and principal point, median
_FRAMES = 500  # that views are taken from, spread evenly
_SHARE = (0.15, 0.5)  # of the picture's shorter side that an object of unknown distance takes up
_RANGES = {
    "hemisphere": ViewRange(elevation_min_deg=0.0),
    "sphere": ViewRange(elevation_min_deg=-90.0, tilt_sigma_deg=np.inf, tilt_max_deg=180.0),
}


@dataclass(frozen=True, kw_only=True)
class PlannedViews:
    """Views of an object, and how the manifest states them: not at all where they are LineMOD's."""

    views: Views
    stated: dict[str, Any] | None


def check_views(config: BuildConfig) -> None:
    """UserError for distances that are none."""
    if config.distance is not None and not 0 < config.distance[0] <= config.distance[1] < np.inf:
        low, high = config.distance
        raise UserError(f"--distance {low:g} {high:g}: give the smaller one first, in metres, above 0")


def plan_views(config: BuildConfig, info: ObjectInfo, source: Source, real: RealFrames) -> PlannedViews:
    """The views of an object of a source with those frames.

    Raises:
        UserError: when the camera's file, or a picture, cannot be read.
    """
    own = None if config.camera is None else read_camera(config.camera)
    frames = _reference(real)
    if LINEMOD.get(info.name) == info and _are_of_linemod(frames):
        return _like_linemod(config, own)
    fallback = own or source.camera() or LINEMOD_CAMERA
    stated = {
        "camera": "given" if frames and not own else _stated(fallback),
        "distance": config.distance or ("given" if frames else "by size"),
        "views": config.views or ("given" if frames else "sphere"),
    }
    if not frames:
        distance = config.distance or _distance_of_size(info.diameter_m, fallback)
        return PlannedViews(
            views=_ranged(fallback, _RANGES[config.views or "sphere"], distance), stated=stated
        )
    model = source.model(info)
    centre = (model.bounds_min + model.bounds_max) / 2.0
    given = GivenViews(
        viewpoints=tuple(viewpoint_of(frame.T_cam_obj, centre) for frame in frames),
        cameras=tuple(own or _camera_of(frame) for frame in frames),
        distance_m=config.distance,
    )
    if config.views is None:
        return PlannedViews(views=given, stated=stated)
    distances = [each.distance_m for each in given.viewpoints]
    distance = config.distance or (min(distances), max(distances))
    return PlannedViews(views=_ranged(given.cameras[0], _RANGES[config.views], distance), stated=stated)


def _are_of_linemod(frames: Sequence[Frame]) -> bool:
    """Whether frames, if any, have LineMOD's camera, and not one of whoever took pictures of its objects."""
    K = np.median([frame.K for frame in frames], axis=0) if frames else LINEMOD_K
    return bool(np.abs(K - LINEMOD_K).max() < _SAME_CAMERA_PX)


def _like_linemod(config: BuildConfig, own: Camera | None) -> PlannedViews:
    """LineMOD's views, with what flags change of them."""
    flags = {"camera": own and _stated(own), "distance": config.distance, "views": config.views}
    stated = {name: value for name, value in flags.items() if value}
    if not stated:
        return PlannedViews(views=LINEMOD_VIEWS, stated=None)
    default = LINEMOD_VIEWS.range
    kind = _RANGES[config.views] if config.views else default
    distance = config.distance or (default.distance_min_m, default.distance_max_m)
    return PlannedViews(views=_ranged(own or LINEMOD_CAMERA, kind, distance), stated=stated)


def _ranged(camera: Camera, kind: ViewRange, distance_m: tuple[float, float]) -> RangedViews:
    low, high = distance_m
    return RangedViews(camera=camera, range=replace(kind, distance_min_m=low, distance_max_m=high))


def _reference(real: RealFrames) -> Sequence[Frame]:
    """The frames whose views are followed: those that come nearest to what the network is for.

    Photographs that train, else that validate, else renderings that train, else what there is for the test.
    """
    train, validation, test = (real.by_split.get(split, ()) for split in SPLITS)
    photographs = [frame for frame in train if not frame.synthetic]
    return spread(photographs or validation or train or test, _FRAMES)


def _camera_of(frame: Frame) -> Camera:
    return Camera(K=frame.K, image_size=picture_size(frame.image_file))


def _distance_of_size(diameter_m: float, camera: Camera) -> tuple[float, float]:
    """Distances in metres from which an object takes up `_SHARE` of the picture."""
    side = min(camera.image_size)
    low, high = (float(camera.K[0, 0]) * diameter_m / (share * side) for share in reversed(_SHARE))
    return low, high


def _stated(camera: Camera) -> list[Any]:
    return [*camera.K.ravel().tolist(), *camera.image_size]
