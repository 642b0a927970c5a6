"""Pictures that say their own columns and rows, and what is read off them after a resizing."""

import numpy as np


def ramp(width: int, height: int, step: float) -> np.ndarray:
    """Red says the column, green the row, in grey levels of `step` per pixel."""
    y, x = np.mgrid[:height, :width]
    return np.rint(np.stack([step * x, step * y, 0 * x], -1)).astype(np.uint8)


def origin_of(line: np.ndarray, pixels_per_cell: float, step: float) -> float:
    """Where a line of cells begins: pixel `x0` of `x0 - 1/2 + (m + 1/2) * pixels_per_cell`, a whole one."""
    cells = np.arange(len(line)) + 0.5
    inner = slice(2, -2)  # beyond the rim, where nothing lies beyond
    return float((line / step + 0.5 - cells * pixels_per_cell)[inner].mean())
