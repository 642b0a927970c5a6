"""Cost of many poses over many points, with analytic gradient and no autograd graph over (S, B, N).

Forward and backward walk over chunks of poses, small enough to stay in the cache on a CPU; backward
recomputes the residuals. Only the inputs are kept, so memory does not grow with the number of pose
samples.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from epropnp.pnp import pose as pose_algebra
from epropnp.pnp.cost import Problem, huber

# Pose-point pairs handled at once: a few buffers of this size fit the second-level cache of a CPU
# core; a GPU wants few launches.
CHUNK_PAIRS_CPU = 2**16
CHUNK_PAIRS_GPU = 2**24


class _Residuals(NamedTuple):
    depth: Tensor  # (s, B, 1, N) clamped, m
    central: Tensor  # (s, B, 2, N) px from the principal point, before the clamp to the box
    error: Tensor  # (s, B, 2, N) px, after the clamps, unweighted
    live: Tensor | None  # (s, B, 2, N) bool, false where a clamp is active; None when not asked for
    norm: Tensor  # (s, B, N) weighted


class _SampleCost(torch.autograd.Function):
    """`cost (S, B)` of `matrices (S, B, 3, 4)` = K2 [R | t], see `sample_cost`."""

    @staticmethod
    def forward(
        ctx: Any,
        matrices: Tensor,  # (S, B, 3, 4)
        points_obj: Tensor,  # (B, 3, N)
        target: Tensor,  # (B, 2, N) px from the principal point
        weights: Tensor,  # (B, 2, N)
        delta: Tensor,  # (B,)
        lower: Tensor,  # (B, 2) px from the principal point
        upper: Tensor,  # (B, 2)
        z_min: float,
        known_cost: Tensor | None,  # (S, B)
    ) -> Tensor:
        ctx.save_for_backward(matrices, points_obj, target, weights, delta, lower, upper)
        ctx.z_min = z_min
        if known_cost is not None:
            return known_cost.clone()
        costs = []
        for chunk in matrices.split(_chunk_poses(points_obj)):
            residuals = _residuals(chunk, points_obj, target, weights, lower, upper, z_min, False)
            costs.append(huber(residuals.norm, delta[:, None]).sum(-1))
        return torch.cat(costs)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_cost: Tensor) -> tuple[Tensor | None, ...]:
        matrices, points_obj, target, weights, delta, lower, upper = ctx.saved_tensors
        grad_obj, grad_target = torch.zeros_like(points_obj), torch.zeros_like(target)
        grad_weights, grad_delta = torch.zeros_like(weights), torch.zeros_like(delta)
        grad_matrices: list[Tensor] = []
        poses = _chunk_poses(points_obj)
        # Autograd runs this under the autocast state of the caller, which may be bfloat16.
        with torch.autocast(matrices.device.type, enabled=False):
            for chunk, grad in zip(matrices.split(poses), grad_cost.split(poses), strict=True):
                residuals = _residuals(chunk, points_obj, target, weights, lower, upper, ctx.z_min, True)
                norm, limit = residuals.norm, delta[:, None]
                grad_delta += ((norm - limit).clamp(min=0) * grad[..., None]).sum((0, -1))
                tiny = torch.finfo(norm.dtype).tiny
                robust = (limit / norm.clamp(min=tiny)).clamp(max=1) * grad[..., None]  # (s, B, N)
                # d cost / d error = robust * w^2 * error; d cost / d w = robust * w * error^2: one
                # w is applied after the sum.
                slope = residuals.error * robust[..., None, :]  # (s, B, 2, N)
                grad_weights += (slope * residuals.error).sum(0)
                grad_target -= slope.sum(0)
                grad_cam = _backproject(slope * weights.square(), residuals)  # (s, B, 3, N)
                grad_obj += torch.einsum("sbin,sbij->bjn", grad_cam, chunk[..., :3])
                if ctx.needs_input_grad[0]:
                    turn = torch.einsum("sbin,bjn->sbij", grad_cam, points_obj)
                    grad_matrices.append(torch.cat((turn, grad_cam.sum(-1, keepdim=True)), dim=-1))
        grad_target *= weights.square()
        grad_weights *= weights
        grad_pose = torch.cat(grad_matrices) if grad_matrices else None
        return grad_pose, grad_obj, grad_target, grad_weights, grad_delta, None, None, None, None


def _chunk_poses(points_obj: Tensor) -> int:
    pairs = points_obj.shape[0] * points_obj.shape[-1]
    budget = CHUNK_PAIRS_GPU if points_obj.is_cuda else CHUNK_PAIRS_CPU
    return max(1, budget // max(1, pairs))


def _residuals(
    matrices: Tensor,
    points_obj: Tensor,
    target: Tensor,
    weights: Tensor,
    lower: Tensor,
    upper: Tensor,
    z_min: float,
    with_live: bool,
) -> _Residuals:
    # Sums of products, not a matrix product: reduced matmul precision (TF32) would cost half a
    # pixel.
    cam = matrices[..., 0:1] * points_obj[:, None, 0]  # (s, B, 3, N)
    cam.addcmul_(matrices[..., 1:2], points_obj[:, None, 1])
    cam.addcmul_(matrices[..., 2:3], points_obj[:, None, 2])
    cam += matrices[..., 3:]
    depth = cam[..., 2:, :].clamp(min=z_min)
    central = cam[..., :2, :].div_(depth)
    low, high = lower[..., None], upper[..., None]
    live = (central > low) & (central < high) & (cam[..., 2:, :] > z_min) if with_live else None
    error = torch.minimum(central, high)
    error = torch.maximum(error, low, out=error).sub_(target)
    norm = (error * weights).square_().sum(-2).sqrt_()
    return _Residuals(depth, central, error, live, norm)


def _backproject(grad_img: Tensor, residuals: _Residuals) -> Tensor:
    """Gradient (s, B, 3, N) of the points `K2 (R X + t)` from that of their images (s, B, 2, N)."""
    assert residuals.live is not None
    grad_xy = torch.where(residuals.live, grad_img, 0.0).div_(residuals.depth)
    grad_z = (grad_xy * residuals.central).sum(-2, keepdim=True).neg_()
    return torch.cat((grad_xy, grad_z), dim=-2)


def sample_cost(problem: Problem, poses: Tensor, known_cost: Tensor | None = None) -> Tensor:
    """Robust cost (S, B) of poses (S, B, 7), differentiable in all but the camera.

    Args:
        problem: correspondences without leading dimensions, (B, 3, N).
        poses: (S, B, 7).
        known_cost: (S, B) the value of the result where it was computed before; only the gradient
            is left to do.
    """
    camera = problem.camera
    centre = camera.K[:, :2, 2]  # (B, 2)
    rigid = torch.cat(
        (pose_algebra.quat_to_rotmat(poses[..., 3:]), poses[..., :3, None]), dim=-1
    )  # (S, B, 3, 4)
    linear = camera.K[:, :2, :2]
    image_rows = (linear[..., None] * rigid[..., None, :2, :]).sum(
        -2
    )  # (S, B, 2, 4): K2 applied to the x and y rows
    cost: Tensor = _SampleCost.apply(
        torch.cat((image_rows, rigid[..., 2:, :]), dim=-2),
        problem.points_obj,
        problem.points_img - centre[..., None],
        problem.weights,
        problem.delta,
        camera.lower - centre,
        camera.upper - centre,
        camera.z_min,
        known_cost,
    )
    return cost
