"""Backgrounds for rendered objects: square cuts of photographs, or procedural pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import BACKGROUND_SIDE
from epropnp.errors import UserError
from pipelines.rendering.seeds import background_rng

_SUFFIXES = {".jpg", ".jpeg", ".png"}
_VOC_FOLDERS = ("JPEGImages", "*/JPEGImages", "*/*/JPEGImages")  # beside them lie masks of the same names
_CUT_MIN = 0.6  # side of a cut, relative to the photograph's shorter side
_OCTAVES = (2, 4, 8, 16, 32, 64)  # grid sizes of the procedural noise

Image = NDArray[np.uint8]


def choose_photographs(folder: Path, count: int, seed: int) -> list[Path]:
    """Draws `count` photographs of a folder tree, each at most once before any comes again.

    Of a Pascal VOC download (`VOCdevkit/VOC2012/JPEGImages`) only the photographs are taken, whichever
    of its folders is given.

    Raises:
        UserError: when the folder is missing or holds no photograph.
    """
    if not folder.is_dir():
        raise UserError(f"no folder of background photographs at {folder}")
    roots = [found for pattern in _VOC_FOLDERS for found in folder.glob(pattern)] or [folder]
    files = [file for root in roots for file in root.rglob("*") if file.suffix.lower() in _SUFFIXES]
    if not files:
        raise UserError(f"{folder} holds no photograph ({', '.join(sorted(_SUFFIXES))})")
    files.sort(key=lambda file: file.relative_to(folder).as_posix())
    order = background_rng(seed).permutation(len(files))
    return [files[order[i % len(files)]] for i in range(count)]


def photograph_backgrounds(files: Sequence[Path], seed: int) -> Iterator[Image]:
    """A random square cut of every photograph, (256, 256, 3) uint8, half of them mirrored."""
    for index, file in enumerate(files):
        bgr = cv2.imread(str(file), cv2.IMREAD_COLOR)
        if bgr is None:
            raise UserError(f"{file} is not a readable photograph: remove or replace it")
        rng = background_rng(seed, index)
        height, width = bgr.shape[:2]
        side = int(rng.uniform(_CUT_MIN, 1.0) * min(height, width))
        x = int(rng.integers(0, width - side + 1))
        y = int(rng.integers(0, height - side + 1))
        cut = bgr[y : y + side, x : x + side, ::-1]
        if rng.random() < 0.5:
            cut = cut[:, ::-1]
        method = cv2.INTER_AREA if side >= BACKGROUND_SIDE else cv2.INTER_LINEAR
        size = (BACKGROUND_SIDE, BACKGROUND_SIDE)
        yield cv2.resize(np.ascontiguousarray(cut), size, interpolation=method).astype(np.uint8)


def procedural_backgrounds(count: int, seed: int) -> Iterator[Image]:
    """Coloured noise with random shapes on it, (256, 256, 3) uint8 each."""
    for index in range(count):
        yield _procedural(background_rng(seed, index))


def _procedural(rng: np.random.Generator) -> Image:
    picture: NDArray[np.floating] = _noise(rng, rng.uniform(0.5, 1.2))
    for _ in range(int(rng.integers(3, 25))):
        grey, colourfulness = rng.uniform(0.0, 1.0), rng.uniform(0.0, 0.6)
        colour = grey + colourfulness * (rng.uniform(0.0, 1.0, 3) - grey)
        texture = np.clip(colour + 0.25 * (_noise(rng, 1.0) - 0.5), 0.0, 1.0)
        cover = _shape(rng)[..., None]
        picture = picture + cover * (texture - picture)
    blurred = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), rng.uniform(0.4, 1.6))
    picture = blurred + rng.normal(0.0, rng.uniform(0.0, 0.03), picture.shape)
    return np.rint(np.clip(picture, 0.0, 1.0) * 255.0).astype(np.uint8)


def _noise(rng: np.random.Generator, decay: float) -> NDArray[np.float32]:
    """Sum of smooth random grids, (256, 256, 3) around 0.5; `decay` of an octave's amplitude."""
    size = (BACKGROUND_SIDE, BACKGROUND_SIDE)
    mean = rng.uniform(0.3, 0.7) + 0.12 * rng.uniform(-1.0, 1.0, 3)
    picture = np.full((*size, 3), mean, np.float32)
    grey = rng.uniform(0.5, 1.0)  # how alike the three channels are
    for octave, cells in enumerate(_OCTAVES):
        grid = rng.uniform(-0.5, 0.5, (cells, cells, 3)).astype(np.float32)
        grid = grey * grid[..., :1] + (1.0 - grey) * grid
        smooth = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
        picture += 0.7 * (octave + 1.0) ** -decay * smooth
    return np.clip(picture, 0.0, 1.0)


def _shape(rng: np.random.Generator) -> NDArray[np.float32]:
    """Coverage (256, 256) of one ellipse, polygon or bar, soft at its edge."""
    cover = np.zeros((BACKGROUND_SIDE, BACKGROUND_SIDE), np.uint8)
    centre = rng.uniform(0, BACKGROUND_SIDE, 2)
    radius = BACKGROUND_SIDE * rng.uniform(0.04, 0.35) * np.ones(2)
    kind = rng.integers(3)
    if kind == 0:
        axes = np.maximum(radius * rng.uniform(0.4, 1.0, 2), 1.0).astype(int)
        angle = rng.uniform(0, 180)
        cv2.ellipse(cover, centre.astype(int).tolist(), axes.tolist(), angle, 0, 360, 255, -1)
    elif kind == 1:
        angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 8))))
        corners = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(cover, [corners.astype(np.int32)], 255)
    else:
        end = rng.uniform(0, BACKGROUND_SIDE, 2)
        thickness = int(rng.integers(2, 24))
        cv2.line(cover, centre.astype(int).tolist(), end.astype(int).tolist(), 255, thickness)
    unit = cover.astype(np.float32) / np.float32(255.0)
    return np.asarray(cv2.GaussianBlur(unit, (0, 0), 0.8), np.float32)
