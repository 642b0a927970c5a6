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
class ViewRange:
    """Ranges of the camera's position relative to the object."""

    elevation_min_deg: float = 10.0  # above the plane on which the object stands, up to the zenith
    distance_min_m: float = 0.6
    distance_max_m: float = 1.15
    tilt_sigma_deg: float = 17.0  # Gaussian rotation about the viewing ray ...
    tilt_max_deg: float = 45.0  # ... cut here


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


def sample_view(
    rng: np.random.Generator,
    hull: Array,
    K: Array = LINEMOD_K,
    image_size: tuple[int, int] = LINEMOD_SIZE,
    view_range: ViewRange | None = None,
) -> Array:
    """Draws `T_cam_obj` (4, 4) so that the object, given by hull points (n, 3), lies in the image.

    The viewpoint and the distance are drawn once; the image position is drawn until it fits, and
    falls back to the image centre for an object that hardly does.
    """
    view_range = view_range or ViewRange()
    elevation_sin = rng.uniform(np.sin(np.radians(view_range.elevation_min_deg)), 1.0)  # even on the sphere
    azimuth = rng.uniform(0.0, 2.0 * np.pi)
    radius = np.sqrt(1.0 - elevation_sin**2)
    direction = np.array([radius * np.cos(azimuth), radius * np.sin(azimuth), elevation_sin])
    tilt_deg = np.clip(
        rng.normal(0.0, view_range.tilt_sigma_deg),
        -view_range.tilt_max_deg,
        view_range.tilt_max_deg,
    )
    distance_m = rng.uniform(view_range.distance_min_m, view_range.distance_max_m)
    R_view = look_at(direction, float(np.radians(tilt_deg)))
    centre = (hull.min(axis=0) + hull.max(axis=0)) / 2.0
    low = np.full(2, _BORDER_PX)
    high = np.array(image_size) - 1.0 - _BORDER_PX
    for _ in range(_MAX_TRIES):
        T_cam_obj = _place(R_view, centre, distance_m, rng.uniform(low, high), K)
        pixels = project(hull, T_cam_obj, K)
        if np.all(pixels >= low) and np.all(pixels <= high):
            return T_cam_obj
    return _place(R_view, centre, distance_m, (low + high) / 2.0, K)


def _place(R_view: Array, centre: Array, distance_m: float, pixel: Array, K: Array) -> Array:
    """The pose whose object centre is `distance_m` away on the ray of `pixel`, seen as `R_view`."""
    ray = np.linalg.solve(K, np.array([pixel[0], pixel[1], 1.0]))
    R = rotation_to_ray(ray) @ R_view
    T_cam_obj = np.eye(4)
    T_cam_obj[:3, :3] = R
    T_cam_obj[:3, 3] = ray / np.linalg.norm(ray) * distance_m - R @ centre
    return T_cam_obj
