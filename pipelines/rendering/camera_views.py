"""Where the camera stands: poses as in the LineMOD sequences, drawn at random.

Each quantity follows what its frames show. LineMOD was recorded around a board on which the object
stands upright, z up (Hinterstoisser et al. 2012 state 0 to 90 deg of elevation, all around, 0.65 to
1.15 m, in-plane +-45 deg). "Cat" is all 678 annotated frames of the object here, "LM-O" the 40
frames of LM-O scene 2, of eight objects on a neighbouring board:

| quantity             | cat                       | LM-O             | drawn                            |
|----------------------|---------------------------|------------------|----------------------------------|
| elevation            | 11 to 85 deg, sine even   | 7 to 87 deg      | sine uniform, from 10 to 90 deg  |
| azimuth              | even                      | even             | uniform                          |
| distance             | 0.65 to 1.09 m, even      | 0.35 to 1.48 m   | uniform, 0.6 to 1.15 m           |
| in-plane tilt        | -11 +- 13 deg, within 46  | 90 % within 50   | Gaussian, 17 deg, cut at 45 deg  |
| centre in the image  | 157..457 x 43..327        | whole image      | anywhere, the object wholly seen |

The tilt's mean belongs to one recording (LM-O's is about zero), so that the draw is centred and has
the cat's root mean square. The place in the image is wider than the cat's on purpose: a crop hides
it from the network, save for the perspective that LM-O needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LINEMOD_K = np.array([[572.4114, 0.0, 325.2611], [0.0, 573.57043, 242.04899], [0.0, 0.0, 1.0]])
LINEMOD_SIZE = (640, 480)  # width, height in pixels
_BORDER_PX = 2.0  # room between the object and the image border
_MAX_TRIES = 1000

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Viewpoint:
    """Where the camera stands relative to the object's middle, which lies on its optical axis."""

    direction: Array  # (3,) unit, from the middle to the camera, in the object's frame
    tilt_deg: float  # about the optical axis: at 0 the object's z axis points up in the image
    distance_m: float  # of the middle


@dataclass(frozen=True, kw_only=True)
class ViewRange:
    """Ranges of the camera's position relative to the object."""

    elevation_min_deg: float = 10.0  # above the plane on which the object stands, up to the zenith
    distance_min_m: float = 0.6
    distance_max_m: float = 1.15
    tilt_sigma_deg: float = 17.0  # Gaussian rotation about the viewing ray, uniform if infinite ...
    tilt_max_deg: float = 45.0  # ... cut here

    def draw(self, rng: np.random.Generator) -> Viewpoint:
        """A viewpoint; directions are even on the part of the sphere that is in the range."""
        elevation_sin = rng.uniform(np.sin(np.radians(self.elevation_min_deg)), 1.0)
        azimuth = rng.uniform(0.0, 2.0 * np.pi)
        if np.isinf(self.tilt_sigma_deg):
            tilt_deg = rng.uniform(-self.tilt_max_deg, self.tilt_max_deg)
        else:
            tilt_deg = np.clip(rng.normal(0.0, self.tilt_sigma_deg), -self.tilt_max_deg, self.tilt_max_deg)
        return Viewpoint(
            direction=direction_at(elevation_sin, azimuth),
            tilt_deg=float(tilt_deg),
            distance_m=rng.uniform(self.distance_min_m, self.distance_max_m),
        )


def direction_at(elevation_sin: float, azimuth: float) -> Array:
    """The unit vector (3,) of an elevation above the x-y plane, by its sine, and an azimuth in radians."""
    radius = np.sqrt(1.0 - elevation_sin**2)
    return np.array([radius * np.cos(azimuth), radius * np.sin(azimuth), elevation_sin])


def look_at(direction: Array, tilt_rad: float) -> Array:
    """Rotation object -> camera for a camera at `direction` (3,) from the object, looking at it.

    The object's z axis points up in the image when `tilt_rad` is 0. OpenCV axes: x right, y down.
    """
    forward = -direction / np.linalg.norm(direction)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.9999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])  # (3, 3), rows are the camera's axes
    c, s = np.cos(tilt_rad), np.sin(tilt_rad)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ R


def rotation_to_ray(ray: Array) -> Array:
    """The smallest rotation that takes the optical axis (0, 0, 1) to the direction `ray` (3,)."""
    x, y, z = ray / np.linalg.norm(ray)
    k = 1.0 / (1.0 + z)
    return np.array([[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]])


def project(points: Array, T_cam_obj: Array, K: Array) -> Array:
    """Pixels (n, 2) of object points (n, 3) in metres."""
    image = (points @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3]) @ K.T
    pixels: Array = image[:, :2] / image[:, 2:]
    return pixels


def viewpoint_of(T_cam_obj: Array, centre: Array) -> Viewpoint:
    """The viewpoint from which a pose (4, 4) shows an object whose middle (3,) is given.

    The inverse of placing: the turn that puts the object on its ray is taken off first.
    """
    middle = T_cam_obj[:3, :3] @ centre + T_cam_obj[:3, 3]
    R_view = rotation_to_ray(middle).T @ T_cam_obj[:3, :3]
    direction = -R_view[2]
    turn = R_view @ look_at(direction, 0.0).T
    return Viewpoint(
        direction=direction,
        tilt_deg=float(np.degrees(np.arctan2(turn[1, 0], turn[0, 0]))),
        distance_m=float(np.linalg.norm(middle)),
    )


def sample_view(
    rng: np.random.Generator,
    hull: Array,
    K: Array = LINEMOD_K,
    image_size: tuple[int, int] = LINEMOD_SIZE,
    view_range: ViewRange | None = None,
) -> Array:
    """Draws `T_cam_obj` (4, 4) so that the object, given by hull points (n, 3), lies in the image."""
    viewpoint = (view_range or ViewRange()).draw(rng)
    return place_in_image(rng, viewpoint, hull, K, image_size)


def place_in_image(
    rng: np.random.Generator, viewpoint: Viewpoint, hull: Array, K: Array, image_size: tuple[int, int]
) -> Array:
    """A pose (4, 4) with that viewpoint, anywhere in the image where hull points (n, 3) lie in it.

    The place is drawn until it fits, and falls back to the image centre for an object that hardly does.
    """
    R_view = look_at(viewpoint.direction, float(np.radians(viewpoint.tilt_deg)))
    centre = middle_of(hull)
    low = np.full(2, _BORDER_PX)
    high = np.array(image_size) - 1.0 - _BORDER_PX
    for _ in range(_MAX_TRIES):
        T_cam_obj = _place(R_view, centre, viewpoint.distance_m, rng.uniform(low, high), K)
        pixels = project(hull, T_cam_obj, K)
        if np.all(pixels >= low) and np.all(pixels <= high):
            return T_cam_obj
    return _place(R_view, centre, viewpoint.distance_m, (low + high) / 2.0, K)


def middle_of(hull: Array) -> Array:
    """The middle (3,) of the box round points (n, 3): what distances are measured to."""
    middle: Array = (hull.min(axis=0) + hull.max(axis=0)) / 2.0
    return middle


def _place(R_view: Array, centre: Array, distance_m: float, pixel: Array, K: Array) -> Array:
    """The pose whose object centre is `distance_m` away on the ray of `pixel`, seen as `R_view`."""
    ray = np.linalg.solve(K, np.array([pixel[0], pixel[1], 1.0]))
    R = rotation_to_ray(ray) @ R_view
    T_cam_obj = np.eye(4)
    T_cam_obj[:3, :3] = R
    T_cam_obj[:3, 3] = ray / np.linalg.norm(ray) * distance_m - R @ centre
    return T_cam_obj
