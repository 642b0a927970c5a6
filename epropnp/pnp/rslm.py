"""Random-sample Levenberg-Marquardt: initial poses from nothing (EPro-PnP, supplementary).

Each proposal takes a random rotation, the translation that puts the object's centre where the image
points are, and a few LM iterations on a small weight-sampled subset of the points. The lowest cost
over all points wins.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp import draws
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.draws import Randomness
from epropnp.pnp.lm import levenberg_marquardt
from epropnp.pnp.problem import Problem
from epropnp.pnp.sample_cost import sample_cost


class Candidates(NamedTuple):
    """Initial poses, each with its cost over all points."""

    pose: Tensor  # (P, B, size)
    cost: Tensor  # (P, B), infinite where it would be NaN


def random_sample_lm(
    problem: Problem,
    proposals: int,
    config: PnPConfig,
    competitor: Tensor | None = None,
    generator: Randomness = None,
) -> Tensor:
    """Best initial pose (B, size) among random ones and, where given, the `competitor` (B, size)."""
    candidates = candidate_poses(problem, proposals, config, competitor, generator)
    best = candidates.cost.argmin(0)  # (B,)
    return candidates.pose.gather(0, best[None, :, None].expand(1, -1, problem.space.size)).squeeze(0)


def candidate_poses(
    problem: Problem,
    proposals: int,
    config: PnPConfig,
    competitor: Tensor | None = None,
    generator: Randomness = None,
) -> Candidates:
    """All `proposals` random initial poses, after the `competitor` (B, size) where it is given."""
    start = centre_based_poses(problem, proposals, generator)
    subset = problem.select(sample_points(problem, proposals, config.rslm_points, generator))
    poses = levenberg_marquardt(subset, start, config.rslm_iterations, config).pose
    if competitor is not None:
        poses = torch.cat((competitor[None], poses))
    return Candidates(poses, sample_cost(problem, poses).nan_to_num(nan=torch.inf))


def sample_points(problem: Problem, proposals: int, count: int, generator: Randomness) -> Tensor:
    """Indices (P, B, count) of distinct points, drawn in proportion to their mean weight."""
    weights = problem.weights.mean(-2).clamp(min=torch.finfo(problem.weights.dtype).tiny)  # (B, N)
    # An exponential race is sampling without replacement; torch.multinomial would check its input
    # on the host.
    # -log(1 - uniform) is exponential; exponential_() itself is several times slower on a CPU.
    uniform = draws.uniform(proposals, weights.shape[-1], weights, generator)
    race = (1 - uniform).log_().neg_() / weights
    return race.topk(min(count, weights.shape[-1]), dim=-1, largest=False, sorted=False).indices


def centre_based_poses(problem: Problem, proposals: int, generator: Randomness) -> Tensor:
    """Poses (P, B, size): random rotations, translated to fit centre and size of the image points.

    Under a random rotation the two image axes see 2/3 of the object's total variance, divided by
    the squared depth.
    """
    weights = problem.weights.mean(-2, keepdim=True)  # (B, 1, N)
    tiny = torch.finfo(weights.dtype).tiny
    weights = weights / weights.sum(-1, keepdim=True).clamp(min=tiny)
    centre_img, variance_img = _moments(_normalised(problem), weights)
    centre_obj, variance_obj = _moments(problem.points_obj, weights)
    depth = (2 / 3 * variance_obj / variance_img.clamp(min=tiny)).sqrt()  # (B,)

    direction = torch.cat((centre_img, torch.ones_like(centre_img[..., :1])), dim=-1)  # (B, 3)
    centre_cam = (depth[..., None] * direction).expand(proposals, -1, -1)
    rotations = problem.space.random_rotations(proposals, depth, generator)
    return problem.space.shift_origin(torch.cat((centre_cam, rotations), dim=-1), -centre_obj)


def _moments(values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted mean (B, C) and total variance (B,) of values (B, C, N)."""
    mean = (values * weights).sum(-1)
    variance = ((values - mean[..., None]).square() * weights).sum(dim=(-2, -1))
    return mean, variance


def _normalised(problem: Problem) -> Tensor:
    """Image points (B, 2, N) on the plane at depth one: K^-1 applied."""
    K = problem.camera.K
    (a, b), (c, d) = (row.unbind(-1) for row in K[:, :2, :2].unbind(-2))
    x, y = (problem.points_img - K[:, :2, 2:]).unbind(-2)  # (B, N)
    determinant = (a * d - b * c)[:, None]
    return torch.stack(
        (
            (d[:, None] * x - b[:, None] * y) / determinant,
            (a[:, None] * y - c[:, None] * x) / determinant,
        ),
        dim=-2,
    )
