"""Several poses of one object, where its correspondences allow them: a distant plane, a symmetric view.

From the random initial poses, the best one is taken, then the best among those that turn the object by more
than `SEPARATION_DEG` against it, and so on; each is refined over all points. How much of the posterior lies
around a pose is read off the quadratic model there, `exp(-cost) sqrt(det covariance)` (Laplace's method), so
that a sharp minimum may lose against a wide one of slightly higher cost.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from epropnp.pnp.config import PnPConfig
from epropnp.pnp.linalg import inverse_spd, safe_cholesky, well_posed
from epropnp.pnp.lm import LMResult, levenberg_marquardt
from epropnp.pnp.problem import Problem
from epropnp.pnp.results import Hypotheses, Solution
from epropnp.pnp.rslm import Candidates
from epropnp.pnp.space import PoseSpace

SEPARATION_DEG = 20.0  # between two poses that count as different


def find_hypotheses(
    problem: Problem, starts: Candidates, count: int, iterations: int, config: PnPConfig
) -> Hypotheses:
    """The `count` most probable poses found from the `starts`, different from each other."""
    start = _different_starts(problem.space, starts, count)  # (K, B, size)
    found = solution_of(levenberg_marquardt(problem, start, iterations, config), config)
    spread = safe_cholesky(found.covariance).diagonal(dim1=-2, dim2=-1).log().sum(-1)  # log sqrt det
    log_mass = torch.where(found.valid, spread - found.cost, -torch.inf)
    found, log_mass = _sorted(found, log_mass)
    log_mass = log_mass.masked_fill(_repeated(problem.space, found.pose), -torch.inf)
    found, log_mass = _sorted(found, log_mass)
    return Hypotheses(replace(found, valid=found.valid & log_mass.isfinite()), log_mass)


def solution_of(result: LMResult, config: PnPConfig) -> Solution:
    """What a solver's last normal equations say about its poses."""
    hessian = result.normal.hessian
    eye = torch.eye(hessian.shape[-1], dtype=hessian.dtype, device=hessian.device)
    return Solution(
        pose=result.pose,
        covariance=inverse_spd(hessian + config.lm_epsilon * eye),
        cost=result.normal.cost,
        accepted=result.accepted,
        valid=well_posed(hessian) & result.normal.cost.isfinite(),
    )


def _different_starts(space: PoseSpace, starts: Candidates, count: int) -> Tensor:
    """The best poses (K, B, size), each turned against all before it; where there are none, repeated ones."""
    cost, picked = starts.cost, []
    for _ in range(count):
        best = cost.argmin(0)[None, :, None].expand(1, -1, space.size)
        picked.append(starts.pose.gather(0, best))  # (1, B, size)
        cost = cost.masked_fill(_alike(space, starts.pose, picked[-1]), torch.inf)
    return torch.cat(picked)


def _sorted(found: Solution, log_mass: Tensor) -> tuple[Solution, Tensor]:
    """Both in the order of falling mass, of each object by itself."""
    log_mass, order = log_mass.sort(stable=True, dim=0, descending=True)

    def ordered(values: Tensor) -> Tensor:
        index = order.reshape(order.shape + (1,) * (values.ndim - 2))
        return values.gather(0, index.expand_as(values))

    return Solution(*(ordered(values) for values in vars(found).values())), log_mass


def _repeated(space: PoseSpace, poses: Tensor) -> Tensor:
    """Which poses (K, B, size) are like one before them that is not itself such a repetition."""
    repeated = [torch.zeros_like(poses[0, :, 0], dtype=torch.bool)]
    for k in range(1, len(poses)):
        alike = _alike(space, poses[:k], poses[k])  # (k, B)
        repeated.append((alike & ~torch.stack(repeated)).any(0))
    return torch.stack(repeated)


def _alike(space: PoseSpace, a: Tensor, b: Tensor) -> Tensor:
    """Whether the rotations of poses (..., size) differ by less than the separation."""
    # |A - B|^2 = 8 sin^2(angle / 2) for rotation matrices.
    distance = (space.rotmat(a) - space.rotmat(b)).square().sum(dim=(-2, -1))
    return distance < 8 * math.sin(math.radians(SEPARATION_DEG) / 2) ** 2
