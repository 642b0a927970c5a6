"""Kernel densities of weighted pose samples: in a plane, and on the sphere of directions.

In a plane Gaussian kernels have the samples' covariance times Scott's factor, with the effective number of
samples for theirs (Scott, 1992). On the sphere they are von Mises-Fisher distributions (Hall, Watson and
Cabrera, 1987), whose width follows from the part of the samples that is nearest to the pose: several modes
are not smeared by their distance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CELLS = 72  # along either side of a plane
SPHERE_ROWS = 90  # of latitude, on twice as many of longitude
SPHERE_WIDTH_DEG = (2.5, 15.0)  # least and largest standard deviation of a kernel
CHUNK = 256  # samples at a time

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PlaneDensity:
    """Density at the centres of cells (n, n): `values[row, column]` at `y[row]`, `x[column]`."""

    x: Array  # (n,)
    y: Array  # (n,)
    values: Array  # (n, n) per unit of x and of y; integrates to the share of the mass inside

    @property
    def cell(self) -> float:
        """Area of a cell."""
        return float((self.x[1] - self.x[0]) * (self.y[1] - self.y[0]))


@dataclass(frozen=True, kw_only=True)
class SphereDensity:
    """Density per steradian at the centres of cells (n, 2 n) in longitude and latitude."""

    longitude: Array  # (2 n,) rad, -pi to pi
    latitude: Array  # (n,) rad, -pi / 2 to pi / 2
    values: Array  # (n, 2 n)

    @property
    def cell(self) -> Array:
        """Solid angle of cells (n, 1), sr."""
        step = self.longitude[1] - self.longitude[0]
        half = (self.latitude[1] - self.latitude[0]) / 2
        return np.asarray(step * (np.sin(self.latitude + half) - np.sin(self.latitude - half)))[:, None]

    def directions(self) -> Array:
        """Unit vectors (n, 2 n, 3) to the cells' centres, in the camera's frame; see `map_angles`."""
        cos, sin = np.cos(self.latitude)[:, None], np.sin(self.latitude)[:, None]
        x, z = cos * np.sin(self.longitude), -cos * np.cos(self.longitude)
        return np.stack([x, np.broadcast_to(-sin, x.shape), z], axis=-1)


def map_angles(directions: Array) -> tuple[Array, Array]:
    """Longitude and latitude (...), rad, of directions (..., 3) of the camera's frame on its map.

    The map shows them as the picture does: right is right (x), up is up (-y), and its centre points from the
    object at the camera (-z).
    """
    x, y, z = np.moveaxis(directions / np.linalg.norm(directions, axis=-1, keepdims=True), -1, 0)
    return np.arctan2(x, -z), np.arcsin(np.clip(-y, -1, 1))


def effective_samples(weights: Array) -> float:
    """Kish's number, 1 to S, of weights (S,) that sum to 1."""
    return float(1 / np.square(weights).sum())


def thinned(weights: Array, most: int) -> tuple[NDArray[np.int64], Array]:
    """Indices of at most so many samples that stand for all (S,), and their weights, which sum to 1.

    Systematic resampling (Kitagawa, 1996) without its random start.
    """
    if np.count_nonzero(weights) <= most:
        kept = np.flatnonzero(weights)
        return kept, weights[kept] / weights.sum()
    mass = np.cumsum(weights)
    drawn = np.searchsorted(mass, mass[-1] * (np.arange(most) + 0.5) / most)
    kept, times = np.unique(drawn, return_counts=True)
    return kept, times / most


def weighted_quantile(values: Array, weights: Array, level: float) -> float:
    """The least of the values (S,) that a share `level` of the weights (S,) does not exceed."""
    order = np.argsort(values)
    mass = np.cumsum(weights[order])
    return float(values[order[min(np.searchsorted(mass, level * mass[-1]), len(values) - 1)]])


def plane_density(points: Array, weights: Array, reach: tuple[Array, Array]) -> PlaneDensity:
    """Density of weighted points (S, 2) in the rectangle between two corners (2,).

    The weights (S,) sum to one over all points, those outside too.
    """
    low, high = reach
    cell = (high - low) / CELLS
    x, y = (low[i] + cell[i] * (np.arange(CELLS) + 0.5) for i in range(2))
    offset = points - weights @ points
    scott = effective_samples(weights) ** (-1 / 3)  # its square: n^(-1 / (d + 4)) with d = 2
    floor = np.diag(np.square(1.2 * cell))  # else cells would miss a kernel
    spread = scott * (offset.T * weights) @ offset + floor
    white = np.linalg.inv(np.linalg.cholesky(spread))  # turns a kernel into the standard normal one
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2) @ white.T
    values = np.zeros(len(grid))
    for part, share in _chunks(points @ white.T, weights):
        gap = (grid**2).sum(1)[:, None] + (part**2).sum(1) - 2 * grid @ part.T  # (cells, chunk)
        values += np.exp(-0.5 * gap.astype(np.float32)) @ share
    values *= np.linalg.det(white) / (2 * np.pi)
    return PlaneDensity(x=x, y=y, values=values.reshape(CELLS, CELLS))


def sphere_density(directions: Array, weights: Array, width_deg: float) -> SphereDensity:
    """Density of weighted unit vectors (S, 3) of the camera's frame; kernels of a standard deviation."""
    step = np.pi / SPHERE_ROWS
    latitude: Array = -np.pi / 2 + step * (np.arange(SPHERE_ROWS, dtype=np.float64) + 0.5)
    longitude: Array = -np.pi + step * (np.arange(2 * SPHERE_ROWS, dtype=np.float64) + 0.5)
    empty = np.zeros((SPHERE_ROWS, 2 * SPHERE_ROWS))
    found = SphereDensity(longitude=longitude, latitude=latitude, values=empty)
    sharpness = 1 / np.radians(width_deg) ** 2
    grid, values = found.directions().reshape(-1, 3), empty.reshape(-1)
    for part, share in _chunks(directions, weights):
        exponent = (sharpness * (grid @ part.T - 1)).astype(np.float32)  # (cells, chunk)
        values += np.exp(exponent) @ share
    values *= sharpness / (2 * np.pi * -np.expm1(-2 * sharpness))
    return found


def sphere_width_deg(angle_deg: Array, weights: Array) -> float:
    """Standard deviation of the sphere's kernels, from the samples' rotation angles (S,) to the pose."""
    nearest = weighted_quantile(angle_deg, weights, 0.25)
    least, largest = SPHERE_WIDTH_DEG
    return float(np.clip(nearest * effective_samples(weights) ** (-1 / 6), least, largest))


def highest_density_level(values: Array, cell: Array | float, share: float) -> float:
    """The density that the smallest region with a share of the mass exceeds (Hyndman, 1996)."""
    mass = (values * cell).ravel()
    order = np.argsort(-values.ravel())
    inside = np.searchsorted(np.cumsum(mass[order]), share * mass.sum())
    return float(values.ravel()[order[min(inside, len(order) - 1)]])


def _chunks(points: Array, weights: Array) -> list[tuple[Array, Array]]:
    """Parts of the samples, so that no array grows with their number."""
    starts = range(0, len(weights), CHUNK)
    return [(points[i : i + CHUNK], weights[i : i + CHUNK]) for i in starts]
