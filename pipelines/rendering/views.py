"""What renderings are taken with and from: a camera, and viewpoints of a range or near given ones."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.rendering.camera_views import (
    LINEMOD_K,
    LINEMOD_SIZE,
    Viewpoint,
    ViewRange,
    direction_at,
    place_in_image,
)

_JITTER_DEG = 5.0  # of given elevations and tilts, Gaussian
_JITTER = 0.05  # of given distances, relative, uniform

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera."""

    K: Array  # (3, 3)
    image_size: tuple[int, int]  # width, height in pixels


LINEMOD_CAMERA = Camera(K=LINEMOD_K, image_size=LINEMOD_SIZE)


class Views(Protocol):
    """Draws views of an object. Must pickle: worker processes get a copy."""

    def sample(self, rng: np.random.Generator, hull: Array) -> tuple[Array, Camera]:
        """`T_cam_obj` (4, 4), with hull points (n, 3) in the image where they fit in it, and the camera."""
        ...


@dataclass(frozen=True, kw_only=True)
class RangedViews:
    """Views from anywhere in a range."""

    camera: Camera
    range: ViewRange

    def sample(self, rng: np.random.Generator, hull: Array) -> tuple[Array, Camera]:
        """See `Views`."""
        viewpoint = self.range.draw(rng)
        return place_in_image(rng, viewpoint, hull, self.camera.K, self.camera.image_size), self.camera


LINEMOD_VIEWS = RangedViews(camera=LINEMOD_CAMERA, range=ViewRange())


@dataclass(frozen=True, kw_only=True)
class GivenViews:
    """Views like given ones: elevation, in-plane tilt, distance and camera of one of them, a little changed.

    The azimuth is any, so that a few pictures from one side do not hide the others. A range of distances
    goes over the given ones.
    """

    viewpoints: tuple[Viewpoint, ...]
    cameras: tuple[Camera, ...]  # of each
    distance_m: tuple[float, float] | None = None

    def sample(self, rng: np.random.Generator, hull: Array) -> tuple[Array, Camera]:
        """See `Views`."""
        number = int(rng.integers(len(self.viewpoints)))
        given, camera = self.viewpoints[number], self.cameras[number]
        elevation = np.arcsin(np.clip(given.direction[2], -1.0, 1.0))
        elevation += np.radians(_JITTER_DEG) * rng.standard_normal()
        near = given.distance_m * (1.0 - _JITTER), given.distance_m * (1.0 + _JITTER)
        viewpoint = Viewpoint(
            direction=direction_at(float(np.sin(elevation)), rng.uniform(0.0, 2.0 * np.pi)),
            tilt_deg=given.tilt_deg + _JITTER_DEG * rng.standard_normal(),
            distance_m=rng.uniform(*(self.distance_m or near)),
        )
        return place_in_image(rng, viewpoint, hull, camera.K, camera.image_size), camera
