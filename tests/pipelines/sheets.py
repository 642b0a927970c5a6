"""A rectangle before a camera, in numbers that floating point holds exactly."""

import numpy as np

from pipelines.rendering.mesh import Mesh

K = np.array([[128.0, 0, 23.75], [0, 128.0, 17.75], [0, 0, 1]])  # no edge falls on a pixel's centre


def sheet(width_m: float, height_m: float) -> Mesh:
    """A rectangle across the optical axis, seen from the camera."""
    x, y = width_m / 2, height_m / 2
    corners = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], np.float64)
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    return Mesh(corners, faces, np.full((4, 3), 0.5, np.float32), np.tile([0.0, 0.0, -1.0], (4, 1)))


def at(x: float, y: float, z: float) -> np.ndarray:
    T_cam_obj = np.eye(4)
    T_cam_obj[:3, 3] = x, y, z
    return T_cam_obj
