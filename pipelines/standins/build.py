"""Stand-ins for the LineMOD models: 13 procedural objects with the names, sizes and symmetries.

The road from a description (`shapes`) to a mesh: distance field on a grid, marching cubes
(Lorensen and Cline 1987), crumbs dropped, closedness checked, vertex colours, and a scaling to
exactly the BOP diameter. Every step is deterministic.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.distance import pdist
from skimage.measure import marching_cubes

from epropnp.errors import UserError
from pipelines.objects import STUDY_OBJECTS, ObjectInfo, resolve_objects
from pipelines.rendering.mesh import Mesh, vertex_normals
from pipelines.standins import MIN_RESOLUTION
from pipelines.standins.materials import Part, weathered
from pipelines.standins.sdf import Shape
from pipelines.standins.shapes import SHAPES

_PADDING = 2  # grid cells of empty space around the object
_FAR = 9.0  # distance written where no piece was sampled
_CRUMB = 2e-3  # components below this fraction of the largest one's volume are dropped
_HALF_TURN = np.array([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class _Soup:
    vertices: NDArray[np.float64]  # (V, 3)
    faces: NDArray[np.int32]  # (F, 3)


@dataclass(frozen=True)
class _Grid:
    """Cubic cells; node (i, j, k) lies at origin + cell * (i, j, k)."""

    origin: NDArray[np.float64]  # (3,)
    cell: float
    shape: tuple[int, int, int]


def build_standin(name: str, resolution: int = 96) -> Mesh:
    """Build the stand-in of a LineMOD object, with about `resolution` grid cells along it.

    The mesh is watertight, in metres, its bounding box is centred at the origin, its diameter is
    the BOP one, and the same arguments always give the same bytes. The two symmetric objects are
    invariant under half a turn about z, in shape and in colour.

    Raises:
        UserError: for an object without a stand-in, or a resolution below `MIN_RESOLUTION`.
    """
    info = check_standin(name, resolution)
    parts = SHAPES[name]()
    grid = _grid_around(parts, resolution)
    field = _sample(parts, grid)
    if info.symmetric:  # blends depend slightly on the order of their shapes
        field = np.minimum(field, field[::-1, ::-1])
    soup = _manifold(_drop_crumbs(_surface(field, grid)))
    partner = None
    if info.symmetric:
        soup, partner = _symmetrised(soup, grid.cell)
    colours = weathered(_paint(parts, soup.vertices), soup.vertices, seed=info.object_id)
    if partner is not None:
        colours = (colours + colours[partner]) / 2
    vertices = _scaled(soup.vertices, info.diameter_m)
    colours = np.rint(colours * 255) / 255  # what a file can hold, so that saving loses nothing
    normals = vertex_normals(vertices, soup.faces)
    return Mesh(vertices, soup.faces, colours.astype(np.float32), normals)


def check_standin(name: str, resolution: int) -> ObjectInfo:
    """The entry of an object that has a stand-in; UserError as `build_standin`."""
    (info,) = resolve_objects([name])
    if name not in STUDY_OBJECTS:
        raise UserError(f"{name!r} has no stand-in: choose from {', '.join(STUDY_OBJECTS)}")
    if resolution < MIN_RESOLUTION:
        raise UserError(f"mesh resolution {resolution} is too coarse: use {MIN_RESOLUTION} or more")
    return info


# --- distance field ---------------------------------------------------------------------------


def _grid_around(parts: list[Part], resolution: int) -> _Grid:
    lower = np.min([part.shape.lower for part in parts], axis=0)
    upper = np.max([part.shape.upper for part in parts], axis=0)
    cell = float((upper - lower).max()) / resolution
    counts = np.ceil((upper - lower) / cell).astype(int) + 1 + 2 * _PADDING
    origin = (lower + upper) / 2 - cell * (counts - 1) / 2  # symmetric about the centre
    return _Grid(origin, cell, (int(counts[0]), int(counts[1]), int(counts[2])))


def _sample(parts: list[Part], grid: _Grid) -> NDArray[np.float32]:
    """Distance to the union of all parts; each piece is evaluated only around its own box."""
    field = np.full(grid.shape, _FAR, dtype=np.float32)
    for part in parts:
        for leaf in part.shape.leaves():
            _sample_leaf(leaf, grid, field)
    return field


def _sample_leaf(leaf: Shape, grid: _Grid, field: NDArray[np.float32]) -> None:
    shape = np.array(grid.shape)
    first = np.floor((leaf.lower - grid.origin) / grid.cell).astype(int) - _PADDING
    last = np.ceil((leaf.upper - grid.origin) / grid.cell).astype(int) + _PADDING + 1
    first, last = np.clip(first, 0, shape), np.clip(last, 0, shape)
    if np.any(first >= last):
        return
    axes = [(grid.origin[i] + grid.cell * np.arange(first[i], last[i])).astype(np.float32) for i in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)  # (X, Y, Z, 3)
    block = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    distance = leaf.distance(points.reshape(-1, 3)).reshape(points.shape[:-1])
    field[block] = np.minimum(field[block], distance)


# --- surface ----------------------------------------------------------------------------------


def _surface(field: NDArray[np.float32], grid: _Grid) -> _Soup:
    # A node exactly on the surface would give triangles without area.
    field = np.where(np.abs(field) < 1e-3 * grid.cell, 1e-3 * grid.cell, field)
    vertices, faces, _, _ = marching_cubes(field, 0.0, gradient_direction="descent")
    return _Soup(grid.origin + grid.cell * vertices.astype(np.float64), faces.astype(np.int32))


def _drop_crumbs(soup: _Soup) -> _Soup:
    """Remove specks that the grid broke off, and inner cavities (turned inside out)."""
    edges = np.concatenate([soup.faces[:, [0, 1]], soup.faces[:, [1, 2]]])
    count = len(soup.vertices)
    links = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    bodies, label = connected_components(links, directed=False)
    a, b, c = (soup.vertices[soup.faces[:, i]] for i in range(3))
    volume = np.einsum("fi,fi->f", a, np.cross(b, c)) / 6
    volumes = np.bincount(label[soup.faces[:, 0]], weights=volume, minlength=bodies)
    keep = volumes > _CRUMB * volumes.max()
    faces = soup.faces[keep[label[soup.faces[:, 0]]]]
    used, compact = np.unique(faces, return_inverse=True)
    return _Soup(soup.vertices[used], compact.reshape(-1, 3).astype(np.int32))


def _manifold(soup: _Soup) -> _Soup:
    """Check closedness and collapse degenerate triangles.

    Flat regions are deliberately not simplified: colours live on the vertices, and the even grid of
    marching cubes draws lettering and edges of paint much more cleanly than refined large triangles.
    """
    solid = manifold3d.Manifold(
        manifold3d.Mesh64(
            vert_properties=np.ascontiguousarray(soup.vertices, dtype=np.float64),
            tri_verts=np.ascontiguousarray(soup.faces, dtype=np.uint64),
        )
    )
    if solid.status() != manifold3d.Error.NoError:
        raise RuntimeError(f"the surface is not a closed manifold: {solid.status()}")
    mesh = solid.to_mesh64()
    vertices = np.array(mesh.vert_properties, dtype=np.float64)[:, :3]
    return _Soup(vertices, np.array(mesh.tri_verts, dtype=np.int32))


def _symmetrised(soup: _Soup, cell: float) -> tuple[_Soup, NDArray[np.intp]]:
    """Make the vertices exactly invariant under half a turn about z; also give each one's partner.

    The grid is symmetric, so partners exist up to rounding; averaging the pairs removes that too.
    """
    distance, partner = cKDTree(soup.vertices).query(soup.vertices * _HALF_TURN)
    if distance.max() > 1e-2 * cell or not np.array_equal(partner[partner], np.arange(len(partner))):
        raise RuntimeError("the surface is not symmetric: some vertex has no partner")
    vertices = (soup.vertices + soup.vertices[partner] * _HALF_TURN) / 2
    return _Soup(vertices, soup.faces), partner


# --- colour and size --------------------------------------------------------------------------


def _paint(parts: list[Part], vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colour every vertex by the part that it lies on."""
    nearest = np.full(len(vertices), np.inf)
    owner = np.zeros(len(vertices), dtype=np.int64)
    for index, part in enumerate(parts):
        for leaf in part.shape.leaves():
            distance = leaf.distance(vertices)
            owner = np.where(distance < nearest, index, owner)
            nearest = np.minimum(nearest, distance)
    colours = np.zeros_like(vertices)
    for index, part in enumerate(parts):
        mine = np.flatnonzero(owner == index)
        if len(mine):
            colours[mine] = part.colour(vertices[mine])
    return colours


def _scaled(vertices: NDArray[np.float64], diameter_m: float) -> NDArray[np.float64]:
    """Centre the bounding box, then scale to the diameter (the largest distance of vertices)."""
    centered = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    hull = centered[ConvexHull(centered).vertices]
    return centered * (diameter_m / float(pdist(hull).max()))
