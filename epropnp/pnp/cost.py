"""Robust weighted reprojection cost and its normal equations.

EPro-PnP (CVPR 2022), equations 1 to 3: residual `f_i = w_i * (project(R x_i + t) - u_i)`, posterior
`p(y | X) ~ exp(-sum_i rho(||f_i(y)||))` with the Huber kernel `rho`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp.camera import project
from epropnp.pnp.problem import Problem


class NormalEquations(NamedTuple):
    """Cost and its Gauss-Newton quadratic model in the local coordinates of the pose space."""

    cost: Tensor  # (..., B)
    gradient: Tensor  # (..., B, dof)
    hessian: Tensor  # (..., B, dof, dof)


def huber(norm: Tensor, delta: Tensor) -> Tensor:
    """Huber kernel of norms s >= 0: `s^2 / 2` for `s <= delta`, else `delta s - delta^2 / 2`."""
    inner = torch.minimum(norm, delta)
    return inner * (norm - 0.5 * inner)


def normal_equations(problem: Problem, pose: Tensor) -> NormalEquations:
    """Cost, gradient and Gauss-Newton Hessian of poses (..., B, size), with analytic Jacobian.

    The Huber kernel enters as iteratively re-weighted least squares: rows are scaled by
    `rho'(s) / s = min(1, delta / s)`, which gives the exact gradient. Gradient and Hessian are
    themselves differentiable with respect to points, weights and delta, the cost is not.
    """
    rotmat = problem.space.rotmat(pose)
    # Not a matrix product: TF32 would cost half a pixel.
    rotated = (rotmat[..., None] * problem.points_obj[..., None, :, :]).sum(-2)  # (..., B, 3, N)
    projection = project(rotated + pose[..., :3, None], problem.camera)

    residual = problem.weights * (projection.points_img - problem.points_img)  # (..., B, 2, N)
    square = residual.square().sum(-2)  # (..., B, N)
    delta = problem.delta[..., None]
    tiny = torch.finfo(square.dtype).tiny
    # min(1, delta / s), with a finite derivative at s = 0 and a value for delta = 0 and infinity
    robust = (square / delta.square().clamp(min=tiny)).clamp(min=1).rsqrt()

    # d cam / d dt = I; d cam / d omega = -[rotated]x, so that a row a turns into rotated x a.
    # (Written out: torch.linalg.cross is several times slower along this dimension.)
    a, b, c = (projection.jacobian * problem.weights[..., None, :, :]).unbind(-3)  # (..., B, 2, N)
    x, y, z = rotated[..., None, :].unbind(-3)  # (..., B, 1, N)
    turns = (y * c - z * b, z * a - x * c, x * b - y * a)
    rows = (a, b, c, *(turns[axis] for axis in problem.space.axes))
    jacobian = torch.stack(rows, dim=-3)  # (..., B, dof, 2, N)

    scaled = jacobian * robust[..., None, None, :]
    hessian = scaled.flatten(-2) @ jacobian.flatten(-2).mT
    gradient = (scaled * residual[..., None, :, :]).sum(dim=(-2, -1))
    # The cost is a value only: sqrt has no derivative at zero.
    cost = huber(square.detach().sqrt(), delta.detach()).sum(-1)
    return NormalEquations(cost, gradient, hessian)
