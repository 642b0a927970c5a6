"""All motions after which an object looks the same, from the few that a table of models names.

Discrete symmetries are multiplied until nothing new comes, and each is followed by every turn about a
continuous one's axis, as in BOP's toolkit. In the group of a body that ends somewhere no two motions have one
rotation (what is between them would be a shift), so that motions are told apart by their rotations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

TURNS = 64  # that a symmetry of revolution becomes
LARGEST_GROUP = 180  # that is looked for: beyond, what is meant is a turn by any angle
_BALL_TURNS = 512  # that a ball's become, evenly spread
_EXACT_DEG = 0.1  # between a product and the motion that it is, where tables are exact but for rounding
_FITTED_DEG = 5.0  # where they were fitted to scans: twice the half turn of LineMOD's glue is a turn by 3.1
_PARALLEL_DEG = 1.0
_SAME_LINE = 0.02  # of the diameter, between axes that are taken for one
_SAME = 1e-4  # metres, and of a rotation's numbers: what is written twice

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A line that an object may be turned about by any angle."""

    direction: Array  # (3,) unit length
    point: Array  # (3,) metres, on the line

    def moved(self, T: Array) -> "Axis":
        """Its image."""
        return Axis(direction=T[:3, :3] @ self.direction, point=T[:3, :3] @ self.point + T[:3, 3])

    def distance_m(self, point: Array) -> float:
        """Of a point from the line."""
        return float(np.linalg.norm(np.cross(point - self.point, self.direction)))

    def turns(self) -> Array:
        """(TURNS, 4, 4) turns about it by equal steps, the identity first."""
        steps = 2.0 * np.pi * np.arange(TURNS) / TURNS
        return np.stack([_about(cv2.Rodrigues(self.direction * step)[0], self.point) for step in steps])


def symmetry_group(discrete: Sequence[Array], axes: Sequence[Axis], diameter_m: float) -> Array:
    """All products of discrete symmetries (4, 4) and of turns about axes, (n, 4, 4), the identity first.

    Where they do not close within `LARGEST_GROUP`, or axes do not meet, they are the motions of no body:
    those given come back, as they are.
    """
    group = _closed(discrete)
    if not axes:
        return group
    lines = _distinct([axis.moved(T) for axis in axes for T in group], _SAME_LINE * diameter_m)
    if len(lines) == 1:
        flips = [T for T in group if (T[:3, :3] @ lines[0].direction) @ lines[0].direction < 0][:1]
        turns = lines[0].turns()
        return np.concatenate([turns, *(turns @ flip for flip in flips)])
    centre = _meeting_point(lines)
    if max(line.distance_m(centre) for line in lines) <= _SAME_LINE * diameter_m:
        return _ball(centre)
    return np.concatenate([group, *(axis.turns()[1:] for axis in axes)])


def is_closed(symmetries: Array) -> bool:
    """Whether the product of any two of the motions (n, 4, 4) is one of them."""
    rotations = symmetries[:, :3, :3]
    tolerance_deg = _FITTED_DEG if _are_apart(symmetries, _FITTED_DEG) else _EXACT_DEG
    return all(_known(first @ rotations, rotations, tolerance_deg).all() for first in rotations)


def _closed(given: Sequence[Array]) -> Array:
    """The identity, what is given, and all its products; without these where they are too many."""
    start = [np.eye(4)]
    for T in given:
        if min(float(np.abs(T - other).max()) for other in start) > _SAME:
            start.append(T)
    for tolerance_deg in (_EXACT_DEG, _FITTED_DEG):
        group = _products(np.stack(start), tolerance_deg)
        if group is not None and _are_apart(group, tolerance_deg):
            return group
    return np.stack(start)


def _products(group: Array, tolerance_deg: float) -> Array | None:
    """The motions (n, 4, 4) with all their products; None where there are more than `LARGEST_GROUP`."""
    generators = fresh = group[1:]
    while len(fresh):
        size = len(group)
        for product in (fresh[:, None] @ generators[None]).reshape(-1, 4, 4):
            if len(group) > LARGEST_GROUP:
                return None
            if not _known(product[None, :3, :3], group[:, :3, :3], tolerance_deg)[0]:
                group = np.concatenate([group, product[None]])
        fresh = group[size:]
    return group


def _are_apart(group: Array, tolerance_deg: float) -> bool:
    """Whether no two of the motions are taken for one: with finer steps, the tolerance says nothing."""
    rotations = group[:, :3, :3]
    others = (np.delete(rotations, i, axis=0) for i in range(len(group)))
    pairs = zip(rotations, others, strict=True)
    return not any(len(rest) and _known(one[None], rest, tolerance_deg)[0] for one, rest in pairs)


def _known(rotations: Array, among: Array, tolerance_deg: float) -> NDArray[np.bool_]:
    """Which of the rotations (m, 3, 3) are among others (n, 3, 3), (m,)."""
    gaps = np.linalg.norm(rotations[:, None] - among[None], axis=(2, 3))  # 2 sqrt(2) sin(angle / 2)
    found: NDArray[np.bool_] = gaps.min(axis=1) <= 2 * np.sqrt(2) * np.sin(np.radians(tolerance_deg / 2))
    return found


def _distinct(axes: Sequence[Axis], tolerance_m: float) -> list[Axis]:
    """The axes without those that are one line with an earlier one."""
    found: list[Axis] = []
    for axis in axes:
        if not any(_is_one_line(axis, other, tolerance_m) for other in found):
            found.append(axis)
    return found


def _is_one_line(axis: Axis, other: Axis, tolerance_m: float) -> bool:
    parallel = abs(axis.direction @ other.direction) >= np.cos(np.radians(_PARALLEL_DEG))
    return bool(parallel and other.distance_m(axis.point) <= tolerance_m)


def _meeting_point(lines: Sequence[Axis]) -> Array:
    """The point (3,) with the least sum of squared distances from the lines."""
    across = [np.eye(3) - np.outer(line.direction, line.direction) for line in lines]
    aside = sum(P @ line.point for P, line in zip(across, lines, strict=True))
    point: Array = np.linalg.lstsq(np.sum(across, axis=0), aside, rcond=None)[0]
    return point


def _ball(centre: Array) -> Array:
    """Rotations about a point that are spread evenly, the identity first.

    Super-Fibonacci spirals: Alexa, CVPR 2022.
    """
    step = np.arange(_BALL_TURNS) + 0.5
    inner, outer = np.sqrt(step / _BALL_TURNS), np.sqrt(1.0 - step / _BALL_TURNS)
    alpha, beta = 2.0 * np.pi * step / np.sqrt(2.0), 2.0 * np.pi * step / 1.533751168755204288118041
    spiral = [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)]
    rotations = Rotation.from_quat(np.stack(spiral, axis=1))
    matrices = (rotations[0].inv() * rotations).as_matrix()
    return np.stack([np.eye(4), *(_about(R, centre) for R in matrices[1:])])


def _about(R: Array, point: Array) -> Array:
    """The rotation R about a point, (4, 4)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, point - R @ point
    return T
