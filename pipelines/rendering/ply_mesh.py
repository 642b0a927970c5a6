"""Triangles, colours and texture coordinates of a PLY file, under the names that exporters give them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from trimesh.geometry import triangulate_quads
from trimesh.grouping import unique_rows
from trimesh.visual.texture import unmerge_faces

from pipelines.rendering.mesh_files import ply_texture_files
from pipelines.rendering.mesh_parts import MeshParts, as_colours, read_texture, unit_colours
from pipelines.rendering.ply import Element, parse_ply

_CORNERS = ("vertex_index", "vertex_indices")
_UV = (("texture_u", "texture_v"), ("u", "v"), ("s", "t"), ("texture_s", "texture_t"))
_COLOURS = (
    ("red", "green", "blue"),
    ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ("r", "g", "b"),
)
_GREY = 0.5  # of files with neither colours nor texture coordinates
_GREY_TEXTURE = np.full((2, 2, 3), 100, np.uint8)  # of files with nothing but coordinates of one


def load_ply(path: Path) -> MeshParts:
    """What a PLY file says. ValueError or UserError, which say why, where it is broken."""
    content = path.read_bytes()
    textures = ply_texture_files(path, content)
    elements = parse_ply(content).elements
    vertex, face = elements.get("vertex", Element(0)), elements.get("face", Element(0))
    corners, of_face = _triangles(face)
    faces = _corners_of(face)[corners].astype(np.int64)
    if len(faces) == 0 or not all(axis in vertex.columns for axis in "xyz"):
        raise ValueError("it holds no triangles")
    if faces.min() < 0 or faces.max() >= vertex.rows:
        raise ValueError(f"a face has a corner that is none of the {vertex.rows} vertices")
    uv = _texture_coordinates(vertex, face, corners, faces)
    picture = read_texture(textures[-1]) if textures and uv is not None else None
    own, tints = _colours(vertex.columns), _colours(face.columns)
    if picture is not None or (own is not None and (tints is None or np.ptp(own, axis=0).any())):
        tints = None  # what comes before colours at faces
    tint = None if tints is None else np.repeat(tints[of_face], 3, axis=0)  # (3 T, 3)
    plain = own is None and tint is None and picture is None
    if plain and uv is not None:
        picture = _GREY_TEXTURE
    faces, kept, corner = _split(faces, vertex.rows, [a for a in (uv, tint) if a is not None])
    if tint is not None:
        colours = unit_colours(tint[corner])
    elif own is not None:
        colours = unit_colours(own[kept])
    else:
        colours = np.full((len(kept), 3), _GREY, np.float32)
    vertices = np.column_stack([vertex.columns[axis] for axis in "xyz"])
    return MeshParts(
        vertices=vertices[kept].astype(np.float64),
        faces=faces,
        colours=colours,
        uv=None if picture is None or uv is None else uv[corner].astype(np.float32),
        picture=picture,
        remarks=tuple(_remarks(textures, uv is not None, plain)),
    )


def _split(
    faces: NDArray[np.int64], count: int, attributes: list[NDArray[Any]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Makes several vertices of one whose corners have other attributes, (3 T, k) each.

    Returns the new triangles (T, 3), and of every new vertex the old one and a corner where it is.
    """
    if not attributes:
        return faces, np.arange(count), np.zeros(count, np.int64)
    kinds = [unique_rows(values)[1].reshape(faces.shape) for values in attributes]
    new, kept, *_ = unmerge_faces(faces, *kinds)
    corner = np.zeros(len(kept), np.int64)
    corner[new.reshape(-1)] = np.arange(new.size)
    return new, kept, corner


def _remarks(textures: list[Path], has_uv: bool, plain: bool) -> list[str]:
    found = []
    if len(textures) > 1:
        found.append(f"mesh with {len(textures)} textures in a PLY file: only {textures[-1].name} is used")
    if plain:
        what = "texture coordinates and no texture" if has_uv else "neither colours nor a texture"
        found.append(f"mesh with {what}: rendered grey")
    return found


def _corners_of(face: Element) -> NDArray[Any]:
    """Vertices at the corners of all faces, one after the other."""
    names = [name for name in _CORNERS if name in face.lists] or list(face.lists)[:1]
    return face.lists[names[0]].values if names else np.empty(0, np.int64)


def _triangles(face: Element) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners (T, 3) of triangles that polygons fall into, and which polygon each comes from (T,)."""
    names = [name for name in _CORNERS if name in face.lists] or list(face.lists)[:1]
    if not names or not len(face.lists[names[0]].values):
        return np.empty((0, 3), np.int64), np.empty(0, np.int64)
    lengths = face.lists[names[0]].lengths
    running = np.arange(lengths.sum())
    if (lengths == lengths[0]).all():
        polygons: Any = running.reshape(-1, lengths[0])
    else:
        polygons = np.split(running, np.cumsum(lengths)[:-1])
    corners = np.asarray(triangulate_quads(polygons), np.int64).reshape(-1, 3)
    return corners, np.repeat(np.arange(len(lengths)), lengths)[corners[:, 0]]


def _texture_coordinates(
    vertex: Element, face: Element, corners: NDArray[np.int64], faces: NDArray[np.int64]
) -> NDArray[Any] | None:
    """Of every corner of every triangle (3 T, 2): those of faces come before those of vertices."""
    given, uv = face.lists.get("texcoord"), None
    if given is not None and len(given.values) == 2 * len(_corners_of(face)):
        uv = given.values.reshape(-1, 2)[corners.reshape(-1)]
    for names in _UV:
        if uv is None and all(name in vertex.columns for name in names):
            uv = np.stack([vertex.columns[name][faces.reshape(-1)] for name in names], axis=-1)
    if uv is None:
        return None
    first, kinds = unique_rows(uv)  # equal but for rounding
    return uv[first][kinds]


def _colours(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8] | None:
    for names in _COLOURS:
        if all(name in columns for name in names):
            return as_colours(np.column_stack([columns[name] for name in names]))
    return None
