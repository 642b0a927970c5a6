"""Colour fields: functions from points in space to sRGB colours, combined like paint.

A network can only tell where it is on a surface whose texture differs from place to place, so the
fields here are irregular on several scales. Noise is hashed lattice noise (integer hash, gradient
noise after Perlin 2002, cells after Worley 1996): the same on every machine, and free of state.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.standins.glyphs import bitmap
from pipelines.standins.sdf import Shape, rotation

Points = NDArray[np.float64]  # (N, 3), object units
Colour = Callable[[Points], NDArray[np.float64]]  # (N, 3) points -> (N, 3) sRGB

# Turns the lattice at every octave, so that its axes never show.
_OCTAVE_TURN = rotation("x", 37.0) @ rotation("y", 53.0) @ rotation("z", 19.0)


class Part(NamedTuple):
    """A solid of one paint, of which objects are composed."""

    shape: Shape
    colour: Colour


class Cells(NamedTuple):
    """Worley cells: the distance to the nearest seed point, to the second, and a random number."""

    first: NDArray[np.float64]  # (N,) cell spacings
    second: NDArray[np.float64]  # (N,)
    key: NDArray[np.float64]  # (N,) in [0, 1), the same all over one cell


# --- noise ------------------------------------------------------------------------------------


def _random(cell: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Hash integer lattice points `(N, 3)` to numbers in [0, 1), `(N,)`."""
    c = cell.astype(np.uint32)
    h = c[:, 0] * np.uint32(0x8DA6B343) + c[:, 1] * np.uint32(0xD8163841)
    h += c[:, 2] * np.uint32(0xCB1AB31F) + np.uint32((seed * 0x9E3779B1) & 0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    return (h ^ (h >> np.uint32(16))).astype(np.float64) / 2.0**32


def noise(points: Points, seed: int, scale: float, octaves: int = 3) -> NDArray[np.float64]:
    """Gradient noise with features of about `scale` and finer, roughly in [-1, 1], `(N,)`."""
    total = np.zeros(len(points))
    p, gain = points / scale, 1.0
    for octave in range(octaves):
        total += gain * _gradient_noise(p, seed * 131 + octave)
        p, gain = 2.03 * (p @ _OCTAVE_TURN) + 5.2, gain * 0.5
    return 1.6 * total


def _gradient_noise(p: Points, seed: int) -> NDArray[np.float64]:
    base = np.floor(p).astype(np.int64)
    f = p - base
    fade = f * f * f * (f * (f * 6 - 15) + 10)
    total = np.zeros(len(p))
    for corner in np.ndindex(2, 2, 2):
        offset = np.array(corner)
        weight = np.where(offset, fade, 1 - fade).prod(axis=1)
        slope = [2 * _random(base + offset, 3 * seed + axis) - 1 for axis in range(3)]
        gap = f - offset
        total += weight * sum(gap[:, axis] * slope[axis] for axis in range(3))
    return total


def cells(points: Points, seed: int, spacing: float) -> Cells:
    """Worley cells: one randomly placed seed point per cube of side `spacing`."""
    p = (points / spacing) @ _OCTAVE_TURN
    base = np.floor(p).astype(np.int64)
    first, second = np.full(len(p), np.inf), np.full(len(p), np.inf)
    key = np.zeros(len(p))
    for step in np.ndindex(3, 3, 3):
        cell = base + np.array(step) - 1
        site = cell + np.stack([_random(cell, 4 * seed + axis) for axis in range(3)], axis=1)
        distance = np.sqrt(((p - site) ** 2).sum(axis=1))
        second = np.minimum(second, np.maximum(first, distance))
        nearer = distance < first
        first = np.where(nearer, distance, first)
        key = np.where(nearer, _random(cell, 4 * seed + 3), key)
    return Cells(first, second, key)


# --- paints -----------------------------------------------------------------------------------


def rgb(code: str) -> NDArray[np.float64]:
    """Colour of a hexadecimal code such as 'f4cf2a', `(3,)` in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) / 255.0 for i in (0, 2, 4)])


def _mix(a: ArrayLike, b: ArrayLike, amount: NDArray[np.float64]) -> NDArray[np.float64]:
    weight = np.clip(amount, 0, 1)[:, None]
    return np.asarray(a) * (1 - weight) + np.asarray(b) * weight


def plain(code: str, grain: float = 0.08) -> Colour:
    """One colour with a fine grain."""
    base = rgb(code)
    return lambda p: base * (1 + grain * noise(p, 7, 0.06, 2))[:, None]


def mottled(
    a: str, b: str, seed: int, scale: float = 0.3, threshold: float = 0.0, softness: float = 0.15
) -> Colour:
    """Patches of colour `b` on colour `a`, of size `scale`, with edges of the given softness."""

    def colour(p: Points) -> NDArray[np.float64]:
        level = (noise(p, seed, scale, 4) - threshold) / softness
        shade = 1 + 0.10 * noise(p, seed + 1, 0.08, 2)
        return _mix(rgb(a), rgb(b), level + 0.5) * shade[:, None]

    return colour


def patched(base: Colour, top: Colour, seed: int, scale: float, threshold: float) -> Colour:
    """Sharp-edged patches of one paint on another, where noise exceeds the threshold."""

    def colour(p: Points) -> NDArray[np.float64]:
        return _mix(base(p), top(p), (noise(p, seed, scale, 3) - threshold) / 0.08 + 0.5)

    return colour


def striped(
    a: Colour, b: Colour, direction: ArrayLike, period: float, wobble: float = 0.1, seed: int = 1
) -> Colour:
    """Alternate stripes across `direction`; their lines wander by `wobble` periods."""
    axis = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)

    def colour(p: Points) -> NDArray[np.float64]:
        phase = p @ axis / period + wobble * noise(p, seed, 1.5 * period, 2)
        wave = np.abs(np.mod(phase, 1.0) - 0.5) * 4 - 1  # triangle wave in [-1, 1]
        return _mix(a(p), b(p), wave / 0.3 + 0.5)

    return colour


def spotted(base: Colour, spots: Sequence[str], seed: int, spacing: float, radius: float = 0.38) -> Colour:
    """Round spots of random size and colour; `radius` is the largest, in spacings."""
    palette = np.stack([rgb(code) for code in spots])

    def colour(p: Points) -> NDArray[np.float64]:
        found = cells(p, seed, spacing)
        chosen = palette[(found.key * 7919 % 1 * len(palette)).astype(np.int64)]
        size = radius * (0.45 + 0.55 * found.key)
        return _mix(base(p), chosen, (size - found.first) / 0.08 + 0.5)

    return colour


def patchwork(codes: Sequence[str], seed: int, spacing: float, seam: str = "202020") -> Colour:
    """Irregular tiles in random colours with dark seams."""
    palette = np.stack([rgb(code) for code in codes])

    def colour(p: Points) -> NDArray[np.float64]:
        found = cells(p, seed, spacing)
        tile = palette[(found.key * len(palette)).astype(np.int64)]
        return _mix(tile, rgb(seam), (0.06 - (found.second - found.first)) / 0.06 + 0.5)

    return colour


def faded(a: Colour, b: Colour, direction: ArrayLike, start: float, end: float) -> Colour:
    """From one paint to another along `direction`, between two positions."""
    axis = np.asarray(direction, dtype=np.float64) / np.linalg.norm(direction)
    return lambda p: _mix(a(p), b(p), (p @ axis - start) / (end - start))


def steel(seed: int) -> Colour:
    """Worn steel: two greys, with rust in places."""
    bare = mottled("a4a8b0", "747880", seed, 0.18)
    return patched(bare, mottled("8a5a34", "6a4022", seed + 1, 0.1), seed + 2, 0.3, 0.5)


def painted(base: Colour, *layers: tuple[Shape, Colour]) -> Colour:
    """Paint every point that lies inside a layer's shape with that layer's colour, in order."""

    def colour(p: Points) -> NDArray[np.float64]:
        result = base(p)
        for shape, coat in layers:
            inside = np.flatnonzero(shape.distance(p) < 0)
            if len(inside):
                result[inside] = coat(p[inside])
        return result

    return colour


def lettered(
    base: Colour,
    text: str,
    ink: str,
    center: ArrayLike,
    height: float,
    facing: ArrayLike,
    up: ArrayLike = (0, 0, 1),
    depth: float = 0.15,
) -> Colour:
    """Print a line of text onto the surface within `depth` of a plane through `center`.

    A reader stands in direction `facing` and sees letters of the given height, upright along `up`.
    """
    mask = bitmap(text)
    rows, columns = mask.shape
    normal = np.asarray(facing, dtype=np.float64)
    right = np.cross(np.asarray(up, dtype=np.float64), normal)
    right /= np.linalg.norm(right)
    upright = np.cross(normal, right) / np.linalg.norm(normal)
    normal = normal / np.linalg.norm(normal)
    pixel = height / rows

    def colour(p: Points) -> NDArray[np.float64]:
        local = p - np.asarray(center, dtype=np.float64)
        column = np.floor(local @ right / pixel + columns / 2).astype(np.int64)
        row = np.floor(rows / 2 - local @ upright / pixel).astype(np.int64)
        hit = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        hit &= np.abs(local @ normal) < depth
        hit &= mask[np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)]
        return np.where(hit[:, None], rgb(ink), base(p))

    return colour


def weathered(colours: NDArray[np.float64], points: Points, seed: int) -> NDArray[np.float64]:
    """Slow drift of brightness and tint over a whole object: no two places look quite the same."""
    light = 1 + 0.13 * noise(points, seed, 0.55, 3)
    tint = np.stack([noise(points, seed + 1 + i, 0.8, 2) for i in range(3)], axis=1)
    return np.clip(colours * light[:, None] + 0.035 * tint, 0.0, 1.0)
