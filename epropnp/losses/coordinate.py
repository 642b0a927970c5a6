"""The coordinate loss of CDPN and EPro-PnP: L1 on normalised object coordinates inside the visible mask."""

from torch import Tensor


def coordinate_loss(coords: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error over the visible cells of the batch, and over the three axes.

    Args:
        coords, target: normalised object coordinates, (B, 3, h, w).
        mask: visible cells, bool (B, h, w).

    Returns:
        a scalar; 0 where no cell is visible.
    """
    inside = mask[:, None].to(coords.dtype)  # (B, 1, h, w)
    error = (coords - target).abs() * inside
    return error.sum() / (3 * inside.sum()).clamp_min(1)
