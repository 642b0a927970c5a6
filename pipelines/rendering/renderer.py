"""Ray casting of one mesh with Embree: exact coordinate maps, and shaded antialiased colour.

Maps come from one ray through every pixel centre (a rasteriser with multisampling would blend
coordinates at silhouettes). The same rays give the colour; where it changes from pixel to pixel, at
silhouettes, shadows and paint, 2x2 further rays replace it (adaptive supersampling, Whitted 1980).
Only pixels inside the projected bounding box are cast. The bounding volume hierarchy lives in the
object frame and is built once per renderer: rays are moved, never the mesh.

There is no photoreal path beside this one: a path tracer (Mitsuba 3) renders about 2 images per
second and core where this renders dozens, and the study trains on plainly shaded images, too.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from pipelines.rendering.camera_views import project
from pipelines.rendering.mesh import Mesh
from pipelines.rendering.shading import Look, Surface, shade
from pipelines.rendering.texture import DISPLAY_GAMMA

_SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])
_CONTRAST = 0.15  # of a pixel and its neighbours, in the root of intensity, from which 2x2 rays are cast
_NEIGHBOURS = np.ones((3, 3), np.uint8)
_SHADOW_OFFSET_M = 8e-4  # along the normal, so that a surface does not shadow itself ...
_SHADOW_OFFSET = 0.008  # ... but at most this share of the mesh's bounding box, corner to corner

Array = NDArray[np.float64]
Region = tuple[int, int, int, int]  # x, y, width, height in pixels of the image


@dataclass(frozen=True, kw_only=True)
class ObjectMaps:
    """Mask and coordinates of a window of the image."""

    origin: tuple[int, int]  # x, y of the window's top-left pixel in the image
    mask: NDArray[np.bool_]  # (h, w)
    coords: Array  # (h, w, 3) metres, object frame, zero outside the mask


@dataclass(frozen=True, kw_only=True)
class View:
    """What a renderer sees in a window of the image; all parts are aligned with the maps."""

    maps: ObjectMaps
    rgb: NDArray[np.float32]  # (h, w, 3) linear light, multiplied by the coverage
    alpha: NDArray[np.float32]  # (h, w) coverage in [0, 1]


@dataclass(frozen=True)
class _Hits:
    """The rays of a bundle that meet the mesh. Directions and points in the object frame."""

    ray: NDArray[np.int64]  # (n,) indices into the bundle
    points: Array  # (n, 3) metres, exactly on their rays
    directions: Array  # (n, 3) of the rays, not normalised
    attributes: NDArray[np.float32]  # (n, 6) or (n, 5): normal (not unit), linear colour or uv


@dataclass(frozen=True)
class _Window:
    """A rectangle of pixels."""

    origin: tuple[int, int]  # x, y
    shape: tuple[int, int]  # h, w
    pixels: Array  # (h * w, 2) centres, row by row


class Renderer:
    """Renders one mesh; keep it, for it holds the bounding volume hierarchy."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._scene = EmbreeScene()
        TriangleMesh(self._scene, mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
        paint = mesh.colours.astype(np.float64) ** DISPLAY_GAMMA if mesh.uv is None else mesh.uv
        attributes = np.concatenate([mesh.normals, paint], axis=1).astype(np.float32)
        self._corners = _corner_and_edges(mesh.vertices, mesh.faces)  # (F, 3, 3)
        self._attributes = _corner_and_edges(attributes, mesh.faces)  # (F, 3, 6) or (F, 3, 5)
        self._texels_per_m = _texels_per_metre(mesh)
        self.hull = _hull_points(mesh.vertices)
        diagonal_m = float(np.linalg.norm(mesh.bounds_max - mesh.bounds_min))
        self._shadow_offset_m = min(_SHADOW_OFFSET_M, _SHADOW_OFFSET * diagonal_m)

    def is_in_front(self, T_cam_obj: Array) -> bool:
        """Whether a pose (4, 4) leaves all of the mesh before the camera: otherwise it cannot be rendered."""
        return bool((self.hull @ T_cam_obj[2, :3] + T_cam_obj[2, 3]).min() > 0)

    def maps(self, T_cam_obj: Array, K: Array, image_size: tuple[int, int]) -> ObjectMaps:
        """Mask and object coordinates at the pixel centres of the object's window.

        T_cam_obj (4, 4) in metres, K (3, 3), image_size (width, height). Every coordinate projects
        onto its own pixel to float64 precision.
        """
        window = self._window(T_cam_obj, K, (0, 0, *image_size))
        return _as_maps(window, self._cast(window.pixels, T_cam_obj, K))

    def view(self, T_cam_obj: Array, K: Array, region: Region, look: Look) -> View:
        """The maps and the colour of what lies in `region`, lit by `look`; its first light casts shadows."""
        window = self._window(T_cam_obj, K, region)
        hits = self._cast(window.pixels, T_cam_obj, K)
        colour = np.zeros((len(window.pixels), 4), np.float32)
        colour[hits.ray, :3] = self._shade(hits, T_cam_obj, K, look)
        colour[hits.ray, 3] = 1.0
        fine = _changing(colour.reshape(*window.shape, 4))
        rays = (window.pixels[fine, None] + _SUBPIXELS).reshape(-1, 2)
        hits_fine = self._cast(rays, T_cam_obj, K)
        samples = np.zeros((len(rays), 4), np.float32)
        samples[hits_fine.ray, :3] = self._shade(hits_fine, T_cam_obj, K, look)
        samples[hits_fine.ray, 3] = 1.0
        colour[fine] = samples.reshape(-1, len(_SUBPIXELS), 4).mean(axis=1)
        picture = colour.reshape(*window.shape, 4)
        return View(maps=_as_maps(window, hits), rgb=picture[..., :3], alpha=picture[..., 3])

    def covers(self, pixels: Array, T_cam_obj: Array, K: Array) -> NDArray[np.bool_]:
        """Whether the mesh is seen at the pixels (n, 2)."""
        found: NDArray[np.bool_] = self._scene.run(*_rays(pixels, T_cam_obj, K)[:2], query="OCCLUDED") >= 0
        return found

    def _window(self, T_cam_obj: Array, K: Array, region: Region) -> _Window:
        """The part of the region that the projected bounding box covers."""
        corners = project(self.hull, T_cam_obj, K)
        first, size = np.array(region[:2]), np.array(region[2:])
        low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, first, first + size)
        high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, low, first + size)
        width, height = (int(n) for n in high - low)
        pixels = np.empty((height, width, 2))
        pixels[..., 0] = np.arange(low[0], high[0])
        pixels[..., 1] = np.arange(low[1], high[1])[:, None]
        return _Window((int(low[0]), int(low[1])), (height, width), pixels.reshape(-1, 2))

    def _cast(self, pixels: Array, T_cam_obj: Array, K: Array) -> _Hits:
        """First hits of the rays through pixels (n, 2)."""
        origins, towards, centre, directions = _rays(pixels, T_cam_obj, K)
        found = self._scene.run(origins, towards, output=True)
        ray = np.nonzero(found["primID"] >= 0)[0]
        triangle = found["primID"][ray]
        u, v = found["u"][ray, None], found["v"][ray, None]
        corner = self._corners.take(triangle, axis=0)  # (n, 3, 3)
        near = corner[:, 0] + u * corner[:, 1] + v * corner[:, 2]
        d = directions[ray]
        # Embree works in float32: slide its hit onto the float64 ray, so that it projects exactly.
        depth = np.einsum("ni,ni->n", near - centre, d) / np.einsum("ni,ni->n", d, d)
        corner32 = self._attributes.take(triangle, axis=0)
        attributes = corner32[:, 0] + u * corner32[:, 1] + v * corner32[:, 2]
        return _Hits(ray, centre + depth[:, None] * d, d, attributes)

    def _shade(self, hits: _Hits, T_cam_obj: Array, K: Array, look: Look) -> NDArray[np.float32]:
        """Linear colour (n, 3) of hits."""
        R = T_cam_obj[:3, :3]
        view = _unit(-hits.directions.astype(np.float32))
        normals = _unit(hits.attributes[:, :3])
        normals *= np.where(np.einsum("ni,ni->n", normals, view) < 0, np.float32(-1), np.float32(1))[:, None]
        lights_obj = (look.light_directions @ R).astype(np.float32)
        surface = Surface(
            normals=normals,
            view=view,
            albedo=self._albedo(hits.attributes[:, 3:], T_cam_obj, K),
            key_light=self._lit(hits.points, normals, lights_obj[0]),
        )
        return shade(surface, lights_obj, (-R[1]).astype(np.float32), look)

    def _albedo(self, paint: NDArray[np.float32], T_cam_obj: Array, K: Array) -> NDArray[np.float32]:
        """Linear colour (n, 3) of the bare surface; `paint` is that, or where it lies in the texture."""
        if self.mesh.texture is None:
            return paint
        metres_per_sample = 0.5 * T_cam_obj[2, 3] / K[0, 0]  # two samples per pixel and axis
        return self.mesh.texture.linear(paint, self._texels_per_m * metres_per_sample)

    def _lit(
        self, points: Array, normals: NDArray[np.float32], light: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """1 where nothing stands between a point and the light, 0 in its shadow."""
        lit = np.zeros(len(points), np.float32)
        facing = np.nonzero(normals @ light > 0)[0]
        if len(facing):
            origins = (points[facing] + self._shadow_offset_m * normals[facing]).astype(np.float32)
            towards = np.ascontiguousarray(np.broadcast_to(light, origins.shape))
            # Embree's occlusion query answers 0 for a blocked ray and -1 for a free one.
            lit[facing] = self._scene.run(origins, towards, query="OCCLUDED") < 0
        return lit


def _rays(
    pixels: Array, T_cam_obj: Array, K: Array
) -> tuple[NDArray[np.float32], NDArray[np.float32], Array, Array]:
    """Rays through pixels (n, 2) in the object frame.

    Origins and directions (n, 3) in float32 for Embree, then exact: the camera (3,), directions (n, 3).
    """
    R, t = T_cam_obj[:3, :3], T_cam_obj[:3, 3]
    back = np.linalg.inv(K).T @ R  # (3, 3)
    directions = pixels @ back[:2] + back[2]  # (n, 3)
    centre = -t @ R
    origins = np.tile(centre.astype(np.float32), (len(pixels), 1))
    return origins, directions.astype(np.float32), centre, directions


def _as_maps(window: _Window, hits: _Hits) -> ObjectMaps:
    mask = np.zeros(len(window.pixels), bool)
    coords = np.zeros((len(window.pixels), 3))
    mask[hits.ray] = True
    coords[hits.ray] = hits.points
    return ObjectMaps(
        origin=window.origin, mask=mask.reshape(window.shape), coords=coords.reshape(*window.shape, 3)
    )


def _changing(colour: NDArray[np.float32]) -> NDArray[np.int64]:
    """Indices of the pixels of (h, w, 4) that differ from a neighbour in colour or coverage."""
    if not colour.size:
        return np.zeros(0, np.int64)
    root = np.sqrt(np.clip(colour, 0.0, 1.0))
    contrast = cv2.dilate(root, _NEIGHBOURS) - cv2.erode(root, _NEIGHBOURS)
    return np.flatnonzero(contrast.max(axis=-1) > _CONTRAST)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (n, 3) at length one."""
    length = np.sqrt(np.einsum("ni,ni->n", vectors, vectors)) + np.float32(1e-12)
    unit: NDArray[np.float32] = vectors / length[:, None]
    return unit


def _corner_and_edges(values: NDArray[np.floating], faces: NDArray[np.int32]) -> NDArray[np.floating]:
    """(F, 3, C): a vertex value per face, and its change along the two edges from there."""
    a, b, c = (values[faces[:, i]] for i in range(3))
    return np.stack([a, b - a, c - a], axis=1)


def _texels_per_metre(mesh: Mesh) -> float:
    """Mean density of the texture on the surface, along one axis; 0 without one."""
    if mesh.uv is None or mesh.texture is None:
        return 0.0
    (_, e1, e2), (_, f1, f2) = (
        np.moveaxis(_corner_and_edges(values, mesh.faces), 1, 0) for values in (mesh.vertices, mesh.uv)
    )
    surface = np.linalg.norm(np.cross(e1, e2), axis=1).sum()
    painted = np.abs(f1[:, 0] * f2[:, 1] - f1[:, 1] * f2[:, 0]).sum()
    height, width = mesh.texture.pixels.shape[:2]
    return float(np.sqrt(painted * height * width / max(surface, 1e-12)))


def _hull_points(vertices: Array) -> Array:
    """Vertices of the convex hull: what bounds the projection. All vertices of a flat mesh."""
    try:
        return vertices[ConvexHull(vertices).vertices]
    except QhullError:
        return vertices
