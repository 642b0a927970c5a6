"""Whether there are correspondences enough for one pose.

Three points look alike in up to four poses (Grunert's problem, P3P), two of an upright object in up to two:
as many equations as unknowns leave several solutions, and each of them looks certain by itself.
"""

import torch
from torch import Tensor

from epropnp.pnp.problem import Problem

ROUNDING = 64  # units in the last place, of the object's extent, by which two points must differ


def overdetermined(problem: Problem) -> Tensor:
    """Whether more different points have weight than several poses could fit exactly: (B,) bool.

    A point given twice counts once. Nothing is said of where the points lie, nor of weights along one axis
    alone beyond their number.
    """
    points, used = problem.points_obj, (problem.weights > 0).any(-2)  # (B, 3, N), (B, N)
    enough = (problem.weights > 0).sum((-2, -1)) > problem.space.dof
    least = problem.space.dof // 2 + 1
    if points.shape[-1] < least:
        return torch.zeros_like(enough)
    # The farthest point from all that were picked, again and again: as long as it is none of them.
    chosen = used.long().argmax(-1)  # (B,)
    apart = torch.full_like(problem.weights[..., 0, :], torch.inf)  # (B, N) squared, from the nearest picked
    extent = torch.zeros_like(apart[..., 0])
    for _ in range(least - 1):
        picked = points.gather(-1, chosen[..., None, None].expand(*points.shape[:-1], 1))  # (B, 3, 1)
        distance = (points - picked).square().sum(-2)
        apart = torch.minimum(apart, torch.where(used, distance, 0.0))
        farthest, chosen = apart.max(-1)
        extent = torch.maximum(extent, farthest)
        enough = enough & (farthest > extent * (ROUNDING * torch.finfo(extent.dtype).eps) ** 2)
    return enough
