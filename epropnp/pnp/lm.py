"""Levenberg-Marquardt with a trust region (as in Ceres) and plain Gauss-Newton, without branches.

Every pose takes the same number of iterations; acceptance is a `where`. A pose whose cost is not finite is
never moved. A step that promises less than the cost's rounding is taken unseen: stopped by it, poses in
float32 would end some thousandths of a standard deviation beside the minimum, elsewhere on each device.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp.compiled import compiled
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.cost import NormalEquations, normal_equations
from epropnp.pnp.linalg import solve_spd
from epropnp.pnp.problem import Problem

MAX_RADIUS = 1e16
COST_ROUNDING = 8  # in units of the last place, of a sum of thousands of squares


class LMResult(NamedTuple):
    """Final poses with the normal equations there."""

    pose: Tensor  # (..., B, size)
    normal: NormalEquations
    accepted: Tensor  # (..., B) number of steps taken


class _State(NamedTuple):
    pose: Tensor  # (..., B, size)
    normal: NormalEquations  # at the pose
    radius: Tensor  # (..., B) of the trust region
    shrink: Tensor  # (..., B) the radius's divisor after the next rejected step; doubles with each
    accepted: Tensor  # (..., B) number of steps taken


def levenberg_marquardt(problem: Problem, pose: Tensor, iterations: int, config: PnPConfig) -> LMResult:
    """Minimise the robust cost from poses (..., B, size)."""
    normal = compiled(normal_equations, problem.compiled)(problem, pose)
    radius = torch.full_like(normal.cost, config.lm_initial_radius)
    accepted = torch.zeros_like(normal.cost, dtype=torch.int64)
    state = _State(pose, normal, radius, torch.full_like(radius, 2.0), accepted)
    step = compiled(_trust_region_step, problem.compiled)
    for _ in range(iterations):
        state = step(problem, state, config)
    return LMResult(state.pose, state.normal, state.accepted)


def _trust_region_step(problem: Problem, state: _State, config: PnPConfig) -> _State:
    normal = state.normal
    step = -solve_spd(_damped(normal.hessian, state.radius, config), normal.gradient)
    trial_pose = problem.space.retract(state.pose, step)
    trial = normal_equations(problem, trial_pose)

    curvature = (normal.hessian * step[..., None, :]).sum(-1)
    predicted = -(step * (normal.gradient + 0.5 * curvature)).sum(-1)
    ratio = (normal.cost - trial.cost) / predicted
    # A difference below its rounding cannot tell whether a step is good; the gradient is far finer.
    rounding = COST_ROUNDING * torch.finfo(normal.cost.dtype).eps * normal.cost
    ratio = torch.where(predicted <= rounding, 1.0, ratio)
    good = (predicted > 0) & trial.cost.isfinite() & (ratio >= config.lm_min_relative_decrease)  # not for NaN

    grown = state.radius / (1 - (2 * ratio - 1) ** 3).clamp(min=1 / 3)
    return _State(
        pose=torch.where(good[..., None], trial_pose, state.pose),
        normal=NormalEquations(*(_where(good, new, old) for new, old in zip(trial, normal, strict=True))),
        radius=torch.where(good, grown.clamp(max=MAX_RADIUS), state.radius / state.shrink),
        shrink=torch.where(good, 2.0, state.shrink * 2),
        accepted=state.accepted + good,
    )


def gauss_newton(problem: Problem, pose: Tensor, iterations: int, config: PnPConfig) -> LMResult:
    """Undamped Gauss-Newton steps, every finite one taken: fast, for a good initial pose."""
    accepted = torch.zeros(pose.shape[:-1], dtype=torch.int64, device=pose.device)
    step = compiled(_newton_step, problem.compiled)
    for _ in range(iterations):
        pose, accepted = step(problem, pose, accepted, config)
    return LMResult(pose, compiled(normal_equations, problem.compiled)(problem, pose), accepted)


def _newton_step(
    problem: Problem, pose: Tensor, accepted: Tensor, config: PnPConfig
) -> tuple[Tensor, Tensor]:
    step = gauss_newton_step(normal_equations(problem, pose), config.lm_epsilon)
    good = torch.isfinite(step).all(-1)
    return torch.where(good[..., None], problem.space.retract(pose, step), pose), accepted + good


def gauss_newton_step(normal: NormalEquations, epsilon: float) -> Tensor:
    """The local step (..., B, dof) to the minimum of the quadratic model; differentiable."""
    eye = torch.eye(normal.hessian.shape[-1], dtype=normal.hessian.dtype, device=normal.hessian.device)
    return -solve_spd(normal.hessian + epsilon * eye, normal.gradient)


def _damped(hessian: Tensor, radius: Tensor, config: PnPConfig) -> Tensor:
    diagonal = hessian.diagonal(dim1=-2, dim2=-1)
    damping = diagonal.clamp(config.lm_min_diagonal, config.lm_max_diagonal) / radius[..., None]
    return hessian + torch.diag_embed(damping + config.lm_epsilon)


def _where(good: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(good.reshape(good.shape + (1,) * (new.ndim - good.ndim)), new, old)
