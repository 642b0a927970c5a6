"""Triangle meshes, coloured at their vertices or by a texture: PLY (BOP's model format) and OBJ files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.visual import ColorVisuals, TextureVisuals

from epropnp.errors import UserError
from pipelines.rendering.texture import Texture

_DEFAULT_COLOUR = 0.5  # grey, for files without colours
_SUFFIXES = (".ply", ".obj")


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in its object frame; triangles turn counter-clockwise seen from outside."""

    vertices: NDArray[np.float64]  # (V, 3) metres
    faces: NDArray[np.int32]  # (F, 3)
    colours: NDArray[np.float32]  # (V, 3) sRGB in [0, 1]; of the texture, where there is one
    normals: NDArray[np.float64]  # (V, 3) unit length, outward
    uv: NDArray[np.float32] | None = None  # (V, 2) texture coordinates, v upwards
    texture: Texture | None = None  # given together with `uv`

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

        Vertices keep the file's order. Normals are computed from the triangles, whatever the
        file says (scans often carry bad ones), and are smooth across the seams of a texture.
        Files without colours become grey.

        Raises:
            UserError: when the file, its material or its texture is missing or unreadable, or when
                it holds no triangles.
        """
        path = Path(path)
        mesh_files(path)
        try:
            loaded = trimesh.load(path, process=False, force="mesh")
        except Exception as error:  # a broken file may fail anywhere in the parser
            raise UserError(f"cannot read the mesh {path}: {error}") from error
        if not isinstance(loaded, trimesh.Trimesh) or len(loaded.faces) == 0:
            raise UserError(f"the mesh {path} holds no triangles")
        vertices = np.asarray(loaded.vertices, dtype=np.float64) * unit_m
        if not np.isfinite(vertices).all():
            raise UserError(f"the mesh {path} has vertices that are not finite numbers")
        faces = np.asarray(loaded.faces, dtype=np.int32)
        whole, seamless = np.unique(vertices, axis=0, return_inverse=True)
        normals = vertex_normals(whole, seamless.astype(np.int32)[faces])[seamless]
        uv, texture = _texture_of(loaded, path)
        colours = _colours_of(loaded) if texture is None or uv is None else texture.colours(uv)
        return cls(vertices, faces, colours, normals, uv, texture)

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


def mesh_files(path: Path) -> list[Path]:
    """A mesh file and the material and texture files that it names: all that `Mesh.load` reads.

    Raises:
        UserError: when one of them is missing, or the file is neither PLY nor OBJ.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(f"cannot read the mesh {path}: its name must end in {' or '.join(_SUFFIXES)}")
    if not path.is_file():
        raise UserError(f"no mesh at {path}: check the path of the models")
    files = [path]
    if path.suffix.lower() == ".ply":
        files += _named(path, "comment TextureFile", until="end_header")
    else:
        for material in _named(path, "mtllib"):
            files += [material, *_named(material, "map_Kd")]
    return files


def _named(file: Path, keyword: str, until: str | None = None) -> list[Path]:
    """The existing files that lines of the form `KEYWORD NAME` of a text (or text header) name."""
    found = []
    with file.open("rb") as stream:
        for line in stream:
            text = line.decode("utf-8", errors="replace").strip()
            if text == until:
                break
            if text.startswith(keyword + " "):
                name = text[len(keyword) :].strip()
                named = file.parent / (name.split()[-1] if name.startswith("-") else name)  # -o options
                if not named.is_file():
                    raise UserError(f"{file} names {name!r}, which is not beside it")
                found.append(named)
    return found


def _texture_of(
    loaded: trimesh.Trimesh, path: Path
) -> tuple[NDArray[np.float32], Texture] | tuple[None, None]:
    visual = loaded.visual
    if not isinstance(visual, TextureVisuals) or visual.uv is None:
        return None, None
    image = getattr(visual.material, "image", None)
    if image is None:
        return None, None
    try:
        pixels = np.asarray(image.convert("RGB"), np.uint8)
    except OSError as error:
        raise UserError(f"cannot read the texture of the mesh {path}: {error}") from error
    return np.asarray(visual.uv, np.float32), Texture(pixels)


def _colours_of(loaded: trimesh.Trimesh) -> NDArray[np.float32]:
    visual, count = loaded.visual, len(loaded.vertices)
    if isinstance(visual, TextureVisuals):  # a material without a picture: one colour for all
        rgb = np.asarray(visual.material.main_color, np.float32)[:3] / np.float32(255.0)
        return np.tile(rgb, (count, 1))
    if not isinstance(visual, ColorVisuals) or visual.kind != "vertex":
        return np.full((count, 3), _DEFAULT_COLOUR, dtype=np.float32)
    rgba = np.asarray(visual.vertex_colors)  # (V, 4) uint8
    return (rgba[:, :3] / 255.0).astype(np.float32)
