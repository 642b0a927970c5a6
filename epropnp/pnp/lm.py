"""Levenberg-Marquardt with a trust region (as in Ceres) and plain Gauss-Newton, without branches.

Every pose takes the same number of iterations; acceptance is a `where`. A pose whose cost is not
finite is never moved.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp.config import PnPConfig
from epropnp.pnp.cost import NormalEquations, Problem, normal_equations
from epropnp.pnp.linalg import solve_spd
from epropnp.pnp.pose import retract

MAX_RADIUS = 1e16


class LMResult(NamedTuple):
    """Final poses with the normal equations there."""

    pose: Tensor  # (..., B, 7)
    normal: NormalEquations
    accepted: Tensor  # (..., B) bool: at least one step was taken


class _TrustRegion(NamedTuple):
    radius: Tensor  # (..., B)
    shrink: Tensor  # (..., B) the divisor after the next rejected step; doubles with each


def levenberg_marquardt(problem: Problem, pose: Tensor, iterations: int, config: PnPConfig) -> LMResult:
    """Minimise the robust cost from poses (..., B, 7)."""
    normal = normal_equations(problem, pose)
    trust = _TrustRegion(
        torch.full_like(normal.cost, config.lm_initial_radius), torch.full_like(normal.cost, 2.0)
    )
    accepted = torch.zeros_like(normal.cost, dtype=torch.bool)
    for _ in range(iterations):
        step = -solve_spd(_damped(normal.hessian, trust.radius, config), normal.gradient)
        trial_pose = retract(pose, step)
        trial = normal_equations(problem, trial_pose)

        curvature = (normal.hessian * step[..., None, :]).sum(-1)
        predicted = -(step * (normal.gradient + 0.5 * curvature)).sum(-1)
        ratio = (normal.cost - trial.cost) / predicted
        good = (predicted > 0) & (ratio >= config.lm_min_relative_decrease)  # false for NaN
        pose = torch.where(good[..., None], trial_pose, pose)
        normal = NormalEquations(*map(lambda new, old: _where(good, new, old), trial, normal))
        trust = _update(trust, good, ratio)
        accepted = accepted | good
    return LMResult(pose, normal, accepted)


def gauss_newton(problem: Problem, pose: Tensor, iterations: int, config: PnPConfig) -> LMResult:
    """Undamped Gauss-Newton steps, every finite one taken: fast, for a good initial pose."""
    accepted = torch.zeros(pose.shape[:-1], dtype=torch.bool, device=pose.device)
    for _ in range(iterations):
        step = gauss_newton_step(normal_equations(problem, pose), config.lm_epsilon)
        good = torch.isfinite(step).all(-1)
        pose = torch.where(good[..., None], retract(pose, step), pose)
        accepted = accepted | good
    return LMResult(pose, normal_equations(problem, pose), accepted)


def gauss_newton_step(normal: NormalEquations, epsilon: float) -> Tensor:
    """The local step (..., B, 6) to the minimum of the quadratic model; differentiable."""
    eye = torch.eye(6, dtype=normal.hessian.dtype, device=normal.hessian.device)
    return -solve_spd(normal.hessian + epsilon * eye, normal.gradient)


def _damped(hessian: Tensor, radius: Tensor, config: PnPConfig) -> Tensor:
    diagonal = hessian.diagonal(dim1=-2, dim2=-1)
    damping = diagonal.clamp(config.lm_min_diagonal, config.lm_max_diagonal) / radius[..., None]
    return hessian + torch.diag_embed(damping + config.lm_epsilon)


def _update(trust: _TrustRegion, good: Tensor, ratio: Tensor) -> _TrustRegion:
    grown = trust.radius / (1 - (2 * ratio - 1) ** 3).clamp(min=1 / 3)
    radius = torch.where(good, grown.clamp(max=MAX_RADIUS), trust.radius / trust.shrink)
    return _TrustRegion(radius, torch.where(good, torch.full_like(radius, 2.0), trust.shrink * 2))


def _where(good: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(good.reshape(good.shape + (1,) * (new.ndim - good.ndim)), new, old)
