"""Ray casting of one mesh with Embree: exact coordinate maps, and shaded antialiased colour.

Maps come from one ray through every pixel centre (a rasteriser with multisampling would blend
coordinates at silhouettes). Only pixels inside the projected bounding box are cast. The bounding
volume hierarchy lives in the object frame and is built once per renderer: rays are moved, never
the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from pipelines.camera_views import project
from pipelines.mesh import Mesh
from pipelines.shading import Look, Surface, shade

RENDERER_VERSION = 1  # part of every dataset id: raise it when rendered bytes change
_SUBPIXELS = np.array([[-0.25, -0.25], [0.25, -0.25], [-0.25, 0.25], [0.25, 0.25]])
_SHADOW_OFFSET_M = 8e-4  # along the normal, so that a surface does not shadow itself
_DISPLAY_GAMMA = 2.2

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ObjectMaps:
    """Mask and coordinates of a window of the image."""

    origin: tuple[int, int]  # x, y of the window's top-left pixel in the image
    mask: NDArray[np.bool_]  # (h, w)
    coords: Array  # (h, w, 3) metres, object frame, zero outside the mask


@dataclass(frozen=True, kw_only=True)
class ShadedObject:
    """Linear colour of a window of the image, multiplied by its coverage."""

    origin: tuple[int, int]
    rgb: NDArray[np.float32]  # (h, w, 3) linear light, premultiplied
    alpha: NDArray[np.float32]  # (h, w) coverage in [0, 1]


@dataclass(frozen=True)
class _Hits:
    """The rays of a bundle that meet the mesh. Directions and points in the object frame."""

    ray: NDArray[np.int64]  # (n,) indices into the bundle
    points: Array  # (n, 3) metres, exactly on their rays
    directions: Array  # (n, 3) of the rays, not normalised
    attributes: NDArray[np.float32]  # (n, 6) interpolated normal (not unit) and linear colour


class Renderer:
    """Renders one mesh; keep it, for it holds the bounding volume hierarchy."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._scene = EmbreeScene()
        TriangleMesh(self._scene, mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32))
        linear = np.asarray(mesh.colors, np.float64) ** _DISPLAY_GAMMA
        self._attributes = np.concatenate([mesh.normals, linear], axis=1).astype(np.float32)
        self.hull = _hull_points(mesh.vertices)

    def maps(self, T_cam_obj: Array, K: Array, image_size: tuple[int, int]) -> ObjectMaps:
        """Mask and object coordinates at the pixel centres of the object's window.

        T_cam_obj (4, 4) in metres, K (3, 3), image_size (width, height). Every coordinate projects
        onto its own pixel to float64 precision.
        """
        origin, shape, pixels = self._window(T_cam_obj, K, image_size)
        mask = np.zeros(shape, bool)
        coords = np.zeros((*shape, 3))
        hits = self._cast(pixels, T_cam_obj, K)
        mask.reshape(-1)[hits.ray] = True
        coords.reshape(-1, 3)[hits.ray] = hits.points
        return ObjectMaps(origin=origin, mask=mask, coords=coords)

    def shade(self, T_cam_obj: Array, K: Array, image_size: tuple[int, int], look: Look) -> ShadedObject:
        """Colour by 2x2 rays per pixel, lit by `look`; its first light casts shadows."""
        origin, shape, pixels = self._window(T_cam_obj, K, image_size)
        rays = (pixels[:, None] + _SUBPIXELS).reshape(-1, 2)
        hits = self._cast(rays, T_cam_obj, K)
        R = T_cam_obj[:3, :3]
        normals = hits.attributes[:, :3].copy()
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
        view = -hits.directions.astype(np.float32)
        view /= np.linalg.norm(view, axis=1, keepdims=True)
        normals *= np.where(np.einsum("ni,ni->n", normals, view) < 0, -1, 1)[:, None]
        lights_obj = (look.light_directions @ R).astype(np.float32)
        surface = Surface(
            normals=normals,
            view=view,
            albedo=hits.attributes[:, 3:],
            key_light=self._lit(hits.points, normals, lights_obj[0]),
        )
        colour = shade(surface, lights_obj, (-R[1]).astype(np.float32), look)
        accumulated = np.zeros((len(rays), 4), np.float32)
        accumulated[hits.ray, :3] = colour
        accumulated[hits.ray, 3] = 1.0
        pixel = accumulated.reshape(*shape, len(_SUBPIXELS), 4).mean(axis=2)
        return ShadedObject(origin=origin, rgb=pixel[..., :3], alpha=pixel[..., 3])

    def _window(
        self, T_cam_obj: Array, K: Array, image_size: tuple[int, int]
    ) -> tuple[tuple[int, int], tuple[int, int], Array]:
        """Origin (x, y), shape (h, w) and pixel centres (h*w, 2) of the projected bounding box."""
        corners = project(self.hull, T_cam_obj, K)
        low = np.clip(np.floor(corners.min(axis=0)).astype(int) - 1, 0, image_size)
        high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, low, image_size)
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
        pixels = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
        return (int(low[0]), int(low[1])), (rows.shape[0], rows.shape[1]), pixels

    def _cast(self, pixels: Array, T_cam_obj: Array, K: Array) -> _Hits:
        """First hits of the rays through pixels (n, 2)."""
        R, t = T_cam_obj[:3, :3], T_cam_obj[:3, 3]
        homogeneous = np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)
        directions = homogeneous @ np.linalg.inv(K).T @ R  # (n, 3) object frame
        centre = -t @ R  # the camera in the object frame
        origins = np.broadcast_to(centre.astype(np.float32), directions.shape)
        found = self._scene.run(np.ascontiguousarray(origins), directions.astype(np.float32), output=True)
        ray = np.nonzero(found["primID"] >= 0)[0]
        corners = self.mesh.faces[found["primID"][ray]]  # (n, 3)
        u, v = found["u"][ray], found["v"][ray]
        weights = np.stack([1.0 - u - v, u, v], axis=1)  # (n, 3) float32, barycentric
        near = np.einsum("nk,nki->ni", weights.astype(np.float64), self.mesh.vertices[corners])
        d = directions[ray]
        # Embree works in float32: slide its hit onto the float64 ray, so that it projects exactly.
        depth = np.einsum("ni,ni->n", near - centre, d) / np.einsum("ni,ni->n", d, d)
        attributes = np.einsum("nk,nki->ni", weights, self._attributes[corners])
        return _Hits(ray, centre + depth[:, None] * d, d, attributes)

    def _lit(
        self, points: Array, normals: NDArray[np.float32], light: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """1 where nothing stands between a point and the light, 0 in its shadow."""
        lit = np.zeros(len(points), np.float32)
        facing = np.nonzero(normals @ light > 0)[0]
        if len(facing):
            origins = (points[facing] + _SHADOW_OFFSET_M * normals[facing]).astype(np.float32)
            towards = np.ascontiguousarray(np.broadcast_to(light, origins.shape))
            # Embree's occlusion query answers 0 for a blocked ray and -1 for a free one.
            lit[facing] = self._scene.run(origins, towards, query="OCCLUDED") < 0
        return lit


def _hull_points(vertices: Array) -> Array:
    """Vertices of the convex hull: what bounds the projection. All vertices of a flat mesh."""
    try:
        return vertices[ConvexHull(vertices).vertices]
    except QhullError:
        return vertices
