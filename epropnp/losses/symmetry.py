"""Which of a symmetric object's equivalent true poses to train on: the one that the prediction is closest to.

An object that looks the same in poses T and T @ T_sym has as many coordinate maps for one image; a network
that is trained on an arbitrary one of them learns their mean.
"""

import torch
from torch import Tensor


def closest_symmetry(
    coords: Tensor, target: Tensor, mask: Tensor, coord_scale: Tensor, symmetries: Tensor
) -> tuple[Tensor, Tensor]:
    """The symmetry whose coordinate map has the smallest L1 distance from the predicted one.

    Args:
        coords: predicted object coordinates divided by `coord_scale`, (B, 3, h, w).
        target: those of the true pose, (B, 3, h, w), 0 outside the mask.
        mask: visible cells, bool (B, h, w).
        coord_scale: metres per unit of the coordinates, (B, 3).
        symmetries: rigid motions T_sym after which an object looks the same, the same number S for every
            object (repeat some where there are fewer), (B, S, 4, 4).

    Returns:
        the target of the chosen pose `T_cam_obj @ T_sym`, (B, 3, h, w), and the T_sym, (B, 4, 4).
    """
    # The new pose sees the point x at T_sym^-1 x; plain `inv` would wait for the device to check for errors.
    inverse = torch.linalg.inv_ex(symmetries).inverse
    turn = (
        inverse[..., :3, :3] * coord_scale[:, None, None, :] / coord_scale[:, None, :, None]
    )  # (B, S, 3, 3)
    shift = inverse[..., :3, 3] / coord_scale[:, None]  # (B, S, 3)
    inside = mask[:, None].to(target.dtype)

    def turned(k: Tensor) -> Tensor:  # (B,) choice of a symmetry per object
        rows = torch.arange(len(k), device=k.device)
        moved = torch.einsum("bij,bjhw->bihw", turn[rows, k], target)
        return (moved + shift[rows, k][..., None, None]) * inside

    choices = torch.arange(symmetries.shape[1], device=target.device)[:, None].expand(-1, len(target))
    with torch.no_grad():
        distances = [((coords - turned(k)).abs() * inside).sum((1, 2, 3)) for k in choices.unbind()]
    best = torch.stack(distances).argmin(0)  # (B,)
    return turned(best), symmetries[torch.arange(len(best), device=best.device), best]
