"""Triangle meshes with vertex colours, read from and written to PLY files (BOP's model format)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.visual import ColorVisuals

from epropnp.errors import UserError

_DEFAULT_COLOR = 0.5  # grey, for files without vertex colours


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in its object frame; triangles turn counter-clockwise seen from outside."""

    vertices: NDArray[np.float64]  # (V, 3) metres
    faces: NDArray[np.int32]  # (F, 3)
    colors: NDArray[np.float32]  # (V, 3) sRGB in [0, 1]
    normals: NDArray[np.float64]  # (V, 3) unit length, outward

    @property
    def bounds_min(self) -> NDArray[np.float64]:
        """Lower corner of the axis-aligned bounding box, `(3,)` metres."""
        return self.vertices.min(axis=0)

    @property
    def bounds_max(self) -> NDArray[np.float64]:
        """Upper corner of the axis-aligned bounding box, `(3,)` metres."""
        return self.vertices.max(axis=0)

    @classmethod
    def load(cls, path: Path | str, unit_m: float = 0.001) -> Mesh:
        """Read a PLY file whose coordinates are in units of `unit_m` metres (BOP: millimetres).

        Vertices keep the file's order. Normals are computed from the triangles, whatever the
        file says (scans often carry bad ones); files without vertex colours become grey.

        Raises:
            UserError: when the file is missing, unreadable or holds no triangles.
        """
        path = Path(path)
        if not path.is_file():
            raise UserError(f"no mesh at {path}: check the path of the models")
        try:
            loaded = trimesh.load(path, file_type="ply", process=False, force="mesh")
        except Exception as error:  # a broken file may fail anywhere in the parser
            raise UserError(f"cannot read the mesh {path}: {error}") from error
        if not isinstance(loaded, trimesh.Trimesh) or len(loaded.faces) == 0:
            raise UserError(f"the mesh {path} holds no triangles")
        vertices = np.asarray(loaded.vertices, dtype=np.float64) * unit_m
        faces = np.asarray(loaded.faces, dtype=np.int32)
        return cls(vertices, faces, _colors_of(loaded), vertex_normals(vertices, faces))

    def save(self, path: Path | str, unit_m: float = 0.001) -> None:
        """Write a binary PLY file in units of `unit_m` metres (BOP: millimetres).

        The same mesh always gives the same bytes. Colours are rounded to 8 bits.
        """
        names = [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("nx", "<f8"), ("ny", "<f8")]
        names += [("nz", "<f8"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
        columns = np.empty(len(self.vertices), dtype=names)
        for i, axis in enumerate("xyz"):
            columns[axis] = self.vertices[:, i] / unit_m
            columns["n" + axis] = self.normals[:, i]
        for i, channel in enumerate(("red", "green", "blue")):
            columns[channel] = np.rint(np.clip(self.colors[:, i], 0, 1) * 255)
        triangles = np.empty(len(self.faces), dtype=[("n", "u1"), ("v", "<i4", 3)])
        triangles["n"] = 3
        triangles["v"] = self.faces
        Path(path).write_bytes(self._ply_header() + columns.tobytes() + triangles.tobytes())

    def _ply_header(self) -> bytes:
        lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(self.vertices)}"]
        lines += [f"property double {name}" for name in ("x", "y", "z", "nx", "ny", "nz")]
        lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
        lines += [f"element face {len(self.faces)}", "property list uchar int vertex_indices"]
        return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")


def vertex_normals(vertices: NDArray[np.float64], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """Area-weighted unit normals, `(V, 3)`; vertices of no triangle get (0, 0, 1)."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    doubled_area = np.cross(b - a, c - a)  # (F, 3)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        for axis in range(3):
            normals[:, axis] += np.bincount(
                faces[:, corner], weights=doubled_area[:, axis], minlength=len(vertices)
            )
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    fallback = np.array([0.0, 0.0, 1.0])
    return np.where(length > 0, normals / np.where(length > 0, length, 1.0), fallback)


def _colors_of(loaded: trimesh.Trimesh) -> NDArray[np.float32]:
    visual = loaded.visual
    if not isinstance(visual, ColorVisuals) or visual.kind != "vertex":
        return np.full((len(loaded.vertices), 3), _DEFAULT_COLOR, dtype=np.float32)
    rgba = np.asarray(visual.vertex_colors)  # (V, 4) uint8
    return (rgba[:, :3] / 255.0).astype(np.float32)
