"""Robust weighted reprojection cost, its normal equations and the adaptive Huber threshold.

EPro-PnP (CVPR 2022), equations 1 to 3: residual `f_i = w_i * (project(R x_i + t) - u_i)`, posterior
`p(y | X) ~ exp(-sum_i rho(||f_i(y)||))` with the Huber kernel `rho`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp import pose as pose_algebra
from epropnp.pnp.camera import Camera, project


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Correspondences of B objects, component-major; leading dimensions before B are allowed."""

    points_obj: Tensor  # (..., B, 3, N) metres, object frame
    points_img: Tensor  # (..., B, 2, N) px
    weights: Tensor  # (..., B, 2, N) 1/px
    camera: Camera
    delta: Tensor  # (B,) Huber threshold on the weighted residual norm

    def detach(self) -> "Problem":
        """The same problem without gradient."""
        return Problem(
            points_obj=self.points_obj.detach(),
            points_img=self.points_img.detach(),
            weights=self.weights.detach(),
            camera=self.camera,
            delta=self.delta.detach(),
        )

    def select(self, index: Tensor) -> "Problem":
        """Sub-problems (P, B, ..., n) of the points with `index` (P, B, n)."""

        def pick(values: Tensor) -> Tensor:
            proposals, components = index.shape[0], values.shape[-2]
            source = values.expand(proposals, *values.shape)
            return source.gather(-1, index[..., None, :].expand(-1, -1, components, -1))

        return Problem(
            points_obj=pick(self.points_obj),
            points_img=pick(self.points_img),
            weights=pick(self.weights),
            camera=self.camera,
            delta=self.delta,
        )


class NormalEquations(NamedTuple):
    """Cost and its Gauss-Newton quadratic model in the local coordinates of `pose.retract`."""

    cost: Tensor  # (..., B)
    gradient: Tensor  # (..., B, 6)
    hessian: Tensor  # (..., B, 6, 6)


def adaptive_delta(points_img: Tensor, weights: Tensor, relative_delta: float) -> Tensor:
    """Huber threshold (B,) `relative_delta * mean(weights) * sqrt(var_x + var_y)`.

    Image points (px) and weights are (B, N, 2); the variance is the unbiased one over the points.
    The result carries gradient to the weights.
    """
    spread = points_img.var(dim=-2).sum(-1).sqrt()
    return relative_delta * weights.mean(dim=(-2, -1)) * spread


def huber(norm: Tensor, delta: Tensor) -> Tensor:
    """Huber kernel of norms s >= 0: `s^2 / 2` for `s <= delta`, else `delta s - delta^2 / 2`."""
    inner = torch.minimum(norm, delta)
    return inner * (norm - 0.5 * inner)


def normal_equations(problem: Problem, pose: Tensor) -> NormalEquations:
    """Cost, gradient and Gauss-Newton Hessian of poses (..., B, 7), with analytic Jacobian.

    The Huber kernel enters as iteratively re-weighted least squares: rows are scaled by
    `rho'(s) / s = min(1, delta / s)`, which gives the exact gradient. Gradient and Hessian are
    themselves differentiable with respect to points, weights and delta, the cost is not.
    """
    rotmat = pose_algebra.quat_to_rotmat(pose[..., 3:])
    # Not a matrix product: TF32 would cost half a pixel.
    rotated = (rotmat[..., None] * problem.points_obj[..., None, :, :]).sum(-2)  # (..., B, 3, N)
    projection = project(rotated + pose[..., :3, None], problem.camera)

    residual = problem.weights * (projection.points_img - problem.points_img)  # (..., B, 2, N)
    square = residual.square().sum(-2)  # (..., B, N)
    delta = problem.delta[..., None]
    tiny = torch.finfo(square.dtype).tiny
    # min(1, delta / s), with a finite derivative at s = 0
    robust = delta * torch.maximum(square, delta.square()).clamp(min=tiny).rsqrt()

    # d cam / d dt = I; d cam / d omega = -[rotated]x, so that a row a turns into rotated x a.
    # (Written out: torch.linalg.cross is several times slower along this dimension.)
    a, b, c = (projection.jacobian * problem.weights[..., None, :, :]).unbind(-3)  # (..., B, 2, N)
    x, y, z = rotated[..., None, :].unbind(-3)  # (..., B, 1, N)
    rows = (a, b, c, y * c - z * b, z * a - x * c, x * b - y * a)
    jacobian = torch.stack(rows, dim=-3)  # (..., B, 6, 2, N)

    scaled = jacobian * robust[..., None, None, :]
    hessian = scaled.flatten(-2) @ jacobian.flatten(-2).mT
    gradient = (scaled * residual[..., None, :, :]).sum(dim=(-2, -1))
    # The cost is a value only: sqrt has no derivative at zero.
    cost = huber(square.detach().sqrt(), delta.detach()).sum(-1)
    return NormalEquations(cost, gradient, hessian)
