"""The coordinate loss of CDPN and EPro-PnP: L1 on normalised object coordinates inside the visible mask."""

from typing import Literal

from torch import Tensor


def coordinate_loss(
    coords: Tensor, target: Tensor, mask: Tensor, mean: Literal["visible", "all"] = "visible"
) -> Tensor:
    """Mean absolute error of the visible cells of the batch, over the three axes.

    Args:
        coords, target: normalised object coordinates, (B, 3, h, w).
        mask: visible cells, bool (B, h, w).
        mean: over the visible cells, or over all of the map, with 0 for the rest, as in both releases of the
            official code: there a term's share grows with the object's share of the crop.

    Returns:
        a scalar; 0 where no cell is visible.
    """
    inside = mask[:, None].to(coords.dtype)  # (B, 1, h, w)
    error = (coords - target).abs() * inside
    return error.mean() if mean == "all" else error.sum() / (3 * inside.sum()).clamp_min(1)
