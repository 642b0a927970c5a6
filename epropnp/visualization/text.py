"""Text in pictures of any size, with smooth letters of Latin, Greek and Cyrillic."""

from functools import cache
from typing import Any

import cv2
import numpy as np

FINER = 4  # rows and columns per pixel in which letters are filled
CAPITALS = 0.6  # height of capital letters, in heights of the line
BASELINE = 0.78  # of the line, from its top
FONT_SIZE = 0.82


def text_width(text: str, height_px: float) -> float:
    """How wide a line is drawn, px; `height_px` from one line to the next."""
    return max((float(part[:, 0].max()) for part in _outlines(text, height_px)), default=0.0)


def draw_text(
    picture: np.ndarray,
    text: str,
    corner: tuple[float, float],
    height_px: float,
    colour: tuple[int, int, int],
) -> None:
    """Draw a line of text, in place; what does not fit into the picture is left out.

    Args:
        picture: RGB, uint8 (H, W, 3).
        text: one line.
        corner: x, y of its top left, px, rounded.
        height_px: from one line to the next.
        colour: RGB.
    """
    left, top = (round(value) for value in corner)
    area = picture[max(top, 0) : top + int(np.ceil(height_px)), max(left, 0) :]
    parts = [part * (1, -1) + (0, BASELINE * height_px) for part in _outlines(text, height_px)]
    if not parts or not area.size:
        return
    shift = np.minimum((left, top), 0)  # of a line that begins outside
    cells = [np.rint(FINER * (part + shift)).astype(np.int32) for part in parts]
    wide = min(area.shape[1], int(np.ceil(text_width(text, height_px))) + 1)
    fine = np.zeros((FINER * area.shape[0], FINER * wide), np.float32)
    cv2.fillPoly(fine, cells, 1.0)
    ink = cv2.resize(fine, (wide, area.shape[0]), interpolation=cv2.INTER_AREA)[..., None]
    area[:, :wide] = np.rint((1 - ink) * area[:, :wide] + ink * np.array(colour))


def _outlines(text: str, height_px: float) -> list[np.ndarray]:
    """Polygons (n, 2) in px from the baseline's start, y upwards."""
    from matplotlib.textpath import TextPath  # slow to import

    if not text.strip():
        return []
    path = TextPath((0, 0), text, size=FONT_SIZE * height_px, prop=_font(), usetex=False)
    return [np.asarray(part) for part in path.to_polygons()]


@cache
def _font() -> Any:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family="DejaVu Sans")  # comes with matplotlib
