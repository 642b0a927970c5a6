"""Whether the symmetries that a table gives an object are symmetries of its mesh, in a line to print."""

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.spatial import KDTree

from pipelines.readers.symmetry_group import LARGEST_GROUP, is_closed
from pipelines.rendering.mesh import Mesh

TOLERANCE = 0.1  # of the diameter: what BOP allows, for objects larger than 15 cm
_POINTS = 200  # of the mesh that are moved
_MOTIONS = 128  # that are tried
_SAMPLES = 8192  # of the surface, to find triangles by
_NEAREST = 8  # of them

Array = NDArray[np.float64]


def symmetry_report(symmetries: Array, mesh: Mesh, diameter_m: float) -> str:
    """What is found of an object's symmetries (n, 4, 4), of which there are at least two."""
    off_mm, allowed_mm = 1000 * off_mesh_m(symmetries, mesh), 1000 * TOLERANCE * diameter_m
    allowed = f"{allowed_mm:.2g} mm, a tenth of the diameter, is allowed"
    if off_mm <= allowed_mm:
        line = f"{len(symmetries)} symmetries map the mesh onto itself within {off_mm:.2g} mm ({allowed})"
    else:
        line = (
            f"WARNING: {len(symmetries)} symmetries, of which one moves the mesh {off_mm:.2g} mm off itself "
            f"({allowed}): MSSD and MSPD take wrong poses for right ones; check models_info.json"
        )
    if len(symmetries) <= LARGEST_GROUP and not is_closed(symmetries):
        line += "; they are no group: products of them are missing, and there are too many to add"
    return line


def off_mesh_m(symmetries: Array, mesh: Mesh) -> float:
    """The largest distance of a moved point of the mesh from its surface, in metres.

    Of many symmetries and vertices, some that are spread evenly are tried.
    """
    corners = mesh.vertices[np.unique(mesh.faces)]
    points = corners[np.linspace(0, len(corners) - 1, min(len(corners), _POINTS)).astype(int)]
    tried = np.linspace(1, len(symmetries) - 1, min(len(symmetries) - 1, _MOTIONS)).astype(int)
    surface = _Surface(mesh)
    moved = (symmetries[i, :3, :3] @ points.T + symmetries[i, :3, 3:] for i in tried)
    return max(float(surface.distances_m(one.T).max()) for one in moved)


class _Surface:
    """The triangles of a mesh, found by samples of them."""

    def __init__(self, mesh: Mesh) -> None:
        self._triangles = mesh.vertices[mesh.faces]  # (F, 3, 3)
        a, b, c = self._triangles.transpose(1, 0, 2)
        area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
        rng = np.random.default_rng(0)
        self._of = np.concatenate(
            [rng.choice(len(area), _SAMPLES, p=area / area.sum()), np.repeat(np.arange(len(area)), 3)]
        )
        u, v = rng.random((2, _SAMPLES, 1))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        first = self._of[:_SAMPLES]
        spread = a[first] + u * (b - a)[first] + v * (c - a)[first]
        self._tree = KDTree(np.concatenate([spread, self._triangles.reshape(-1, 3)]))

    def distances_m(self, points: Array) -> Array:
        """Distances (n,) of points (n, 3) from the surface."""
        nearest = self._of[self._tree.query(points, _NEAREST)[1]]  # (n, _NEAREST) triangles
        asked = np.repeat(points, _NEAREST, axis=0)
        closest = trimesh.triangles.closest_point(self._triangles[nearest.ravel()], asked)
        distances = np.linalg.norm(closest - asked, axis=1)
        return np.asarray(distances.reshape(-1, _NEAREST).min(axis=1))
