"""Signed distance functions: primitives, transforms and set operations in a small fluent language.

A `Shape` knows its distance function (negative inside) and its bounding box, so that a grid needs
sampling only near each piece: `(sphere(0.3) | box(0.2, 0.2, 0.5).turned("x", 30)).at(0, 0, 1)`.
Formulas follow the well-known exact distances of simple solids; some (ellipsoid, cone, prism with
taper) are bounds with the exact zero level, which is all that meshing needs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating[Any]]
Distance = Callable[[Array], Array]  # (N, 3) -> (N,)


@dataclass(frozen=True, eq=False)
class Shape:
    """A solid: distance function, bounding box and, for a plain union, its pieces."""

    distance: Distance
    lower: Array  # (3,)
    upper: Array  # (3,)
    pieces: tuple["Shape", ...] = field(default=())

    def leaves(self) -> tuple["Shape", ...]:
        """The shapes whose plain union this is (itself, if it is no union)."""
        return self.pieces or (self,)

    def at(self, x: float, y: float, z: float) -> "Shape":
        """This shape, moved."""
        return self._moved(np.eye(3), np.array([x, y, z], dtype=np.float64))

    def turned(self, axis: str, angle_deg: float) -> "Shape":
        """This shape, turned about a coordinate axis through the origin."""
        return self._moved(rotation(axis, angle_deg), np.zeros(3))

    def _moved(self, turn: Array, shift: Array) -> "Shape":
        if self.pieces:
            return union(*(piece._moved(turn, shift) for piece in self.pieces))

        def distance(p: Array) -> Array:
            local = (p - shift.astype(p.dtype)) @ turn.astype(p.dtype)
            return self.distance(local)

        center, half = (self.lower + self.upper) / 2, (self.upper - self.lower) / 2
        center, half = turn @ center + shift, np.abs(turn) @ half
        return Shape(distance, center - half, center + half)

    def __or__(self, other: "Shape") -> "Shape":
        return union(self, other)

    def __sub__(self, other: "Shape") -> "Shape":
        # Piece by piece, each without the cutters that cannot reach it: cheaper on a grid.
        return union(*(_cut(leaf, other) for leaf in self.leaves()))

    def __and__(self, other: "Shape") -> "Shape":
        return Shape(
            lambda p: np.maximum(self.distance(p), other.distance(p)),
            np.maximum(self.lower, other.lower),
            np.minimum(self.upper, other.upper),
        )


def _cut(solid: Shape, cutter: Shape) -> Shape:
    near = [
        leaf
        for leaf in cutter.leaves()
        if np.all(leaf.lower <= solid.upper) and np.all(leaf.upper >= solid.lower)
    ]
    if not near:
        return solid
    hole = union(*near)
    return Shape(lambda p: np.maximum(solid.distance(p), -hole.distance(p)), solid.lower, solid.upper)


def rotation(axis: str, angle_deg: float) -> NDArray[np.float64]:
    """Rotation matrix about `axis` ('x', 'y' or 'z'), right-handed."""
    a = np.deg2rad(angle_deg)
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    matrix = np.eye(3)
    matrix[j, j] = matrix[k, k] = np.cos(a)
    matrix[k, j] = np.sin(a)
    matrix[j, k] = -np.sin(a)
    return matrix


# --- set operations ---------------------------------------------------------------------------


def union(*shapes: Shape) -> Shape:
    """All points inside any of the shapes."""
    leaves = tuple(leaf for shape in shapes for leaf in shape.leaves())
    if len(leaves) == 1:
        return leaves[0]

    def distance(p: Array) -> Array:
        nearest = leaves[0].distance(p)
        for leaf in leaves[1:]:
            nearest = np.minimum(nearest, leaf.distance(p))
        return nearest

    lower = np.min([leaf.lower for leaf in leaves], axis=0)
    upper = np.max([leaf.upper for leaf in leaves], axis=0)
    return Shape(distance, lower, upper, leaves)


def blend(radius: float, *shapes: Shape) -> Shape:
    """Union whose seams are filled smoothly over about `radius` (polynomial smooth minimum)."""

    def distance(p: Array) -> Array:
        result = shapes[0].distance(p)
        for shape in shapes[1:]:
            other = shape.distance(p)
            h = np.clip(0.5 + 0.5 * (other - result) / radius, 0, 1)
            result = other * (1 - h) + result * h - radius * h * (1 - h)
        return result

    lower = np.min([shape.lower for shape in shapes], axis=0) - radius / 2
    upper = np.max([shape.upper for shape in shapes], axis=0) + radius / 2
    return Shape(distance, lower, upper)


def mirrored(shape: Shape) -> Shape:
    """A shape and its mirror image in the plane x = 0."""
    flip = np.array([-1.0, 1.0, 1.0])
    lower = np.array([-shape.upper[0], shape.lower[1], shape.lower[2]])
    upper = np.array([-shape.lower[0], shape.upper[1], shape.upper[2]])
    image = Shape(lambda p: shape.distance(p * flip.astype(p.dtype)), lower, upper)
    return union(shape, image)


def twin(shape: Shape) -> Shape:
    """A shape and its copy half a turn about z away."""
    flip = np.array([-1.0, -1.0, 1.0])  # exact, unlike a rotation matrix of cosines
    lower = np.array([-shape.upper[0], -shape.upper[1], shape.lower[2]])
    upper = np.array([-shape.lower[0], -shape.lower[1], shape.upper[2]])
    copy = Shape(lambda p: shape.distance(p * flip.astype(p.dtype)), lower, upper)
    return union(shape, copy)


# --- primitives -------------------------------------------------------------------------------


def _boxed(distance: Distance, half: ArrayLike) -> Shape:
    half = np.asarray(half, dtype=np.float64)
    return Shape(distance, -half, half)


def _length(p: Array) -> Array:
    return np.sqrt(np.einsum("...i,...i->...", p, p))


def sphere(radius: float) -> Shape:
    """Ball around the origin."""
    return _boxed(lambda p: _length(p) - radius, [radius] * 3)


def ellipsoid(rx: float, ry: float, rz: float) -> Shape:
    """Ellipsoid with the given semi-axes (first-order distance)."""
    radii = np.array([rx, ry, rz])

    def distance(p: Array) -> Array:
        scaled = p / radii.astype(p.dtype)
        k0, k1 = _length(scaled), _length(scaled / radii.astype(p.dtype))
        return k0 * (k0 - 1) / np.maximum(k1, 1e-6)

    return _boxed(distance, radii)


def box(hx: float, hy: float, hz: float, rounding: float = 0.0) -> Shape:
    """Box with the given half sizes, its edges rounded inwards."""
    half = np.array([hx, hy, hz])

    def distance(p: Array) -> Array:
        q = np.abs(p) - (half - rounding).astype(p.dtype)
        return _length(np.maximum(q, 0)) + np.minimum(q.max(axis=-1), 0) - rounding

    return _boxed(distance, half)


def _revolved(radial: Array, axial: Array, rounding: float) -> Array:
    inside = np.minimum(np.maximum(radial, axial), 0)
    return inside + np.hypot(np.maximum(radial, 0), np.maximum(axial, 0)) - rounding


def cylinder(radius: float, half_height: float, rounding: float = 0.0) -> Shape:
    """Cylinder along z."""
    return cone(radius, radius, half_height, rounding)


def cone(bottom: float, top: float, half_height: float, rounding: float = 0.0) -> Shape:
    """Truncated cone along z: radius `bottom` at -half_height, `top` at +half_height."""
    slope = (top - bottom) / (2 * half_height)
    shrink = 1 / float(np.hypot(1, slope))

    def distance(p: Array) -> Array:
        z = np.clip(p[..., 2], -half_height, half_height)
        wanted = (bottom + top) / 2 + slope * z
        radial = (np.hypot(p[..., 0], p[..., 1]) - wanted) * shrink + rounding
        return _revolved(radial, np.abs(p[..., 2]) - half_height + rounding, rounding)

    widest = max(bottom, top)
    return _boxed(distance, [widest, widest, half_height])


def torus(radius: float, thickness: float) -> Shape:
    """Ring about z: `radius` of its centre line, `thickness` the tube's radius."""

    def distance(p: Array) -> Array:
        return np.hypot(np.hypot(p[..., 0], p[..., 1]) - radius, p[..., 2]) - thickness

    return _boxed(distance, [radius + thickness, radius + thickness, thickness])


def capsule(start: ArrayLike, end: ArrayLike, r0: float, r1: float | None = None) -> Shape:
    """Round stick from `start` (radius r0) to `end` (radius r1, default r0)."""
    a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    r1 = r0 if r1 is None else r1
    axis = b - a

    def distance(p: Array) -> Array:
        along = np.clip((p - a.astype(p.dtype)) @ (axis / (axis @ axis)).astype(p.dtype), 0, 1)
        foot = a.astype(p.dtype) + along[..., None] * axis.astype(p.dtype)
        return _length(p - foot) - (r0 + (r1 - r0) * along)

    lower = np.minimum(a - r0, b - r1)
    return Shape(distance, lower, np.maximum(a + r0, b + r1))


def tube(points: Sequence[ArrayLike], r0: float, r1: float | None = None) -> Shape:
    """Round sticks along a polyline, the radius running linearly from r0 to r1."""
    r1 = r0 if r1 is None else r1
    radii = np.linspace(r0, r1, len(points))
    sticks = zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True)
    return union(*(capsule(a, b, float(ra), float(rb)) for a, b, ra, rb in sticks))


def curve(points: Sequence[ArrayLike], steps: int = 5) -> list[NDArray[np.float64]]:
    """Smooth polyline through the given points (Catmull-Rom), for `tube`."""
    p = np.asarray(points, dtype=np.float64)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    line = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        for t in np.arange(steps) / steps:
            bend = (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3
            line.append(b + 0.5 * ((c - a) * t + bend))
    return [*line, p[-2]]


def helix(radius: float, height: float, turns: float) -> list[tuple[float, float, float]]:
    """Points of a helix about z from z = 0 to `height`, for `tube`."""
    angles = np.linspace(0, 2 * np.pi * turns, int(14 * turns) + 1)
    rise = height / angles[-1]
    return [(radius * float(np.cos(a)), radius * float(np.sin(a)), rise * float(a)) for a in angles]


def prism(outline: Sequence[tuple[float, float]], half_height: float, top_scale: float = 1.0) -> Shape:
    """Polygon in the xy plane extruded along z and scaled to `top_scale` at the top."""
    corners = np.asarray(outline, dtype=np.float64)

    def distance(p: Array) -> Array:
        rise = np.clip(p[..., 2] / half_height, -1, 1) * 0.5 + 0.5
        scale = 1 + (top_scale - 1) * rise
        flat = p[..., :2] / scale[..., None]
        radial = _polygon_distance(flat, corners) * np.minimum(scale, 1)
        return _revolved(radial, np.abs(p[..., 2]) - half_height, 0.0)

    grown = corners * max(1.0, top_scale)
    lower = np.array([*grown.min(axis=0), -half_height])
    return Shape(distance, lower, np.array([*grown.max(axis=0), half_height]))


def _polygon_distance(p: Array, corners: Array) -> Array:
    """Signed distance in the plane: nearest edge, sign by the parity of crossings."""
    squared = np.full(p.shape[:-1], np.inf, dtype=p.dtype)
    inside = np.zeros(p.shape[:-1], dtype=bool)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        edge, w = (b - a).astype(p.dtype), p - a.astype(p.dtype)
        along = np.clip((w @ edge) / (edge @ edge), 0, 1)
        gap = w - along[..., None] * edge
        squared = np.minimum(squared, np.einsum("...i,...i->...", gap, gap))
        crosses = (a[1] <= p[..., 1]) != (b[1] <= p[..., 1])
        left = (edge[0] * w[..., 1] - edge[1] * w[..., 0]) > 0
        inside ^= crosses & (left == (edge[1] > 0))
    return np.where(inside, -1, 1) * np.sqrt(squared)
