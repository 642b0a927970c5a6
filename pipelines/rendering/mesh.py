"""Triangle meshes, coloured at their vertices or by a texture: PLY (BOP's model format) and OBJ files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from pipelines.rendering.mesh_files import mesh_files
from pipelines.rendering.obj_mesh import load_obj
from pipelines.rendering.ply_mesh import load_ply
from pipelines.rendering.texture import Texture

_GREY_RANGE = 0.04  # of all channels of all vertices: less is one grey


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in its object frame; triangles turn counter-clockwise seen from outside."""

    vertices: NDArray[np.float64]  # (V, 3) metres
    faces: NDArray[np.int32]  # (F, 3)
    colours: NDArray[np.float32]  # (V, 3) sRGB in [0, 1]; of the texture, where there is one
    normals: NDArray[np.float64]  # (V, 3) unit length, outward
    uv: NDArray[np.float32] | None = None  # (V, 2) texture coordinates, v upwards
    texture: Texture | None = None  # given together with `uv`
    remarks: tuple[str, ...] = ()  # on its file, in a line each: what a user should know of

    @property
    def bounds_min(self) -> NDArray[np.float64]:
        """Lower corner of the axis-aligned bounding box, `(3,)` metres."""
        return self.vertices.min(axis=0)

    @property
    def bounds_max(self) -> NDArray[np.float64]:
        """Upper corner of the axis-aligned bounding box, `(3,)` metres."""
        return self.vertices.max(axis=0)

    @classmethod
    def load(cls, path: Path | str, unit_m: float = 0.001) -> "Mesh":
        """Read a PLY or OBJ file whose coordinates are in units of `unit_m` metres (BOP: millimetres).

        Vertices keep the file's order; where corners of triangles meet in one that have other texture
        coordinates or colours, it becomes several. Normals are computed from the triangles, whatever
        the file says (scans often carry bad ones), and are smooth across such seams. A texture comes
        before colours at vertices, and those before colours at faces and of materials. Files without
        any become grey, which `remarks` says.

        Raises:
            UserError: when the file, its material or its texture is missing or unreadable, or when
                it holds no triangles.
        """
        path = Path(path)
        mesh_files(path)
        try:
            parts = load_ply(path) if path.suffix.lower() == ".ply" else load_obj(path)
        except UserError:
            raise
        except Exception as error:  # a broken file may fail anywhere in the parser
            raise UserError(f"cannot read the mesh {path}: {error}") from error
        if len(parts.faces) == 0:
            raise UserError(f"the mesh {path} holds no triangles")
        if parts.vertices.ndim != 2 or parts.vertices.shape[1] != 3:
            raise UserError(f"the mesh {path} has vertices that are not three numbers")
        if parts.faces.min() < 0 or parts.faces.max() >= len(parts.vertices):
            raise UserError(f"the mesh {path} has triangles of vertices that it does not have")
        vertices = parts.vertices * unit_m
        if not np.isfinite(vertices).all():
            raise UserError(f"the mesh {path} has vertices that are not finite numbers")
        faces = parts.faces.astype(np.int32)
        whole, seamless = np.unique(vertices, axis=0, return_inverse=True)
        normals = vertex_normals(whole, seamless.astype(np.int32)[faces])[seamless]
        texture = None if parts.picture is None else Texture(parts.picture)
        colours = parts.colours if texture is None or parts.uv is None else texture.colours(parts.uv)
        remarks = parts.remarks or tuple(_one_grey(colours))
        return cls(vertices, faces, colours, normals, parts.uv, texture, remarks)

    def digest(self) -> str:
        """SHA-256 of all that decides how the mesh is rendered."""
        hashed = hashlib.sha256()
        parts: list[NDArray[Any]] = [self.vertices, self.faces, self.colours, self.normals]
        if self.uv is not None and self.texture is not None:
            parts += [self.uv, self.texture.pixels]
        for part in parts:
            hashed.update(f"{part.dtype}{part.shape}".encode())
            hashed.update(np.ascontiguousarray(part).tobytes())
        return hashed.hexdigest()

    def save(self, path: Path | str, unit_m: float = 0.001) -> None:
        """Write a binary PLY file in units of `unit_m` metres (BOP: millimetres).

        The same mesh always gives the same bytes. Colours are rounded to 8 bits; of a texture, the
        file gets the vertex colours.
        """
        names = [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("nx", "<f8"), ("ny", "<f8")]
        names += [("nz", "<f8"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
        columns = np.empty(len(self.vertices), dtype=names)
        for i, axis in enumerate("xyz"):
            columns[axis] = self.vertices[:, i] / unit_m
            columns["n" + axis] = self.normals[:, i]
        for i, channel in enumerate(("red", "green", "blue")):
            columns[channel] = np.rint(np.clip(self.colours[:, i], 0, 1) * 255)
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


def _one_grey(colours: NDArray[np.float32]) -> list[str]:
    """Says it where all colours are one grey: files often have that where colours were lost."""
    low, high = colours.min(axis=0), colours.max(axis=0)
    if high.max() - low.min() > _GREY_RANGE:
        return []
    return [f"mesh that its file paints in one grey, {255 * float(low.mean()):.0f} of 255"]


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
