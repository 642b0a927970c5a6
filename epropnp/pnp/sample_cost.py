"""Cost of many poses over many points, with analytic gradient and no autograd graph over (S, B, N).

Backward recomputes the residuals, so that only the inputs are kept and memory does not grow with the
number of pose samples. Eagerly, both passes walk over chunks of poses, small enough to stay in the cache
of a CPU; compiled, each pass is one loop that keeps everything in registers.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from epropnp.pnp.compiled import compiled
from epropnp.pnp.problem import Problem

# Pose-point pairs handled at once: buffers of this size stay in the caches of a CPU;
# a GPU wants few launches, yet little memory.
CHUNK_PAIRS_CPU = 2**18
CHUNK_PAIRS_GPU = 2**21


class _Points(NamedTuple):
    """What a cost is computed from, besides poses."""

    points_obj: Tensor  # (B, 3, N) m
    target: Tensor  # (B, 2, N) px from the principal point
    weights: Tensor  # (B, 2, N) 1/px
    delta: Tensor  # (B,)
    lower: Tensor  # (B, 2) px from the principal point
    upper: Tensor  # (B, 2)
    z_min: Tensor  # () m


class _Gradients(NamedTuple):
    points_obj: Tensor  # (B, 3, N)
    target: Tensor  # (B, 2, N)
    weights: Tensor  # (B, 2, N)
    delta: Tensor  # (B,)
    matrices: Tensor | None  # (s, B, 3, 4)


def _project(matrices: Tensor, points: _Points) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image points u, v from the principal point, inverse of the clamped depth, depth: each (s, B, N)."""
    # Sums of products, not a matrix product: reduced matmul precision (TF32) would cost half a pixel.
    a, b, c = points.points_obj.unbind(-2)  # (B, N)
    x, y, z = (
        torch.addcmul(row[..., 3:], row[..., 0:1], a).addcmul_(row[..., 1:2], b).addcmul_(row[..., 2:3], c)
        for row in matrices.unbind(-2)
    )
    inverse = z.clamp(min=points.z_min).reciprocal_()
    return x.mul_(inverse), y.mul_(inverse), inverse, z


def _errors(u: Tensor, v: Tensor, points: _Points) -> tuple[Tensor, Tensor, Tensor]:
    """Reprojection errors (px) clamped to the box, and the norm of the weighted one: each (s, B, N)."""
    low, high = points.lower[..., None], points.upper[..., None]  # (B, 2, 1)
    ex = u.clamp(low[:, 0], high[:, 0]).sub_(points.target[:, 0])
    ey = v.clamp(low[:, 1], high[:, 1]).sub_(points.target[:, 1])
    square_x, square_y = points.weights.square().unbind(-2)  # (B, N)
    norm = (ex * ex).mul_(square_x).addcmul_(ey * ey, square_y).sqrt_()
    return ex, ey, norm


def _cost(matrices: Tensor, points: _Points) -> Tensor:
    """Robust cost (s, B) of `matrices` (s, B, 3, 4) = K2 [R | t]."""
    u, v, _, _ = _project(matrices, points)
    norm = _errors(u, v, points)[2]
    inner = torch.minimum(norm, points.delta[:, None])
    return norm.sub_(inner, alpha=0.5).mul_(inner).sum(-1)


def _gradients(grad_cost: Tensor, matrices: Tensor, points: _Points, with_pose: bool) -> _Gradients:
    """Gradients of the cost (s, B), summed over poses but for those of the poses themselves."""
    u, v, inverse, z = _project(matrices, points)
    ex, ey, norm = _errors(u, v, points)
    grad, limit = grad_cost[..., None], points.delta[:, None]
    # Summed over poses first and points later, as all the rest is: one loop when compiled.
    beyond = (norm - limit).clamp_(min=0).mul_(grad).sum(0)  # (B, N)
    tiny = torch.finfo(norm.dtype).tiny
    robust = (limit / norm.clamp_(min=tiny)).clamp_(max=1).mul_(grad)  # (s, B, N)
    # d cost / d error = robust w^2 error and d cost / d w = robust w error^2; w waits for the sum.
    slope_x, slope_y = robust * ex, robust * ey
    target = torch.stack((slope_x.sum(0), slope_y.sum(0)), dim=-2)  # (B, 2, N)
    weights = torch.stack(((slope_x * ex).sum(0), (slope_y * ey).sum(0)), dim=-2)
    low, high = points.lower[..., None], points.upper[..., None]
    square_x, square_y = points.weights.square().unbind(-2)
    front = z > points.z_min
    live_x, live_y = (u > low[:, 0]) & (u < high[:, 0]) & front, (v > low[:, 1]) & (v < high[:, 1]) & front
    gx = torch.where(live_x, slope_x.mul_(square_x), 0.0).mul_(inverse)
    gy = torch.where(live_y, slope_y.mul_(square_y), 0.0).mul_(inverse)
    gz = (gx * u).addcmul_(gy, v).neg_()  # gradient of K2 (R X + t): gx, gy, gz (s, B, N)
    row_x, row_y, row_z = matrices.unbind(-2)  # (s, B, 4)
    columns = [
        (row_x[..., k, None] * gx).addcmul_(row_y[..., k, None], gy).addcmul_(row_z[..., k, None], gz).sum(0)
        for k in range(3)
    ]
    grad_matrices = None
    if with_pose:
        rows = [
            torch.stack([(g * a).sum(-1) for a in points.points_obj.unbind(-2)] + [g.sum(-1)], dim=-1)
            for g in (gx, gy, gz)
        ]
        grad_matrices = torch.stack(rows, dim=-2)
    return _Gradients(
        points_obj=torch.stack(columns, dim=-2),
        target=target.mul_(points.weights.square()).neg_(),
        weights=weights.mul_(points.weights),
        delta=beyond.sum(-1),
        matrices=grad_matrices,
    )


class _SampleCost(torch.autograd.Function):
    """`_cost` with `_gradients` as its derivative."""

    @staticmethod
    def forward(
        ctx: Any, matrices: Tensor, known_cost: Tensor | None, run_compiled: bool, *points: Tensor
    ) -> Tensor:
        ctx.save_for_backward(matrices, *points)
        ctx.run_compiled = run_compiled
        if known_cost is not None:
            return known_cost.clone()
        given = _Points(*points)
        if run_compiled:
            cost: Tensor = compiled(_cost, True, in_registers=True)(matrices, given)
            return cost
        return torch.cat([_cost(chunk, given) for chunk in matrices.split(_chunk_poses(given))])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_cost: Tensor) -> tuple[Tensor | None, ...]:
        matrices, *points = ctx.saved_tensors
        given, with_pose = _Points(*points), ctx.needs_input_grad[0]
        # Autograd runs this under the autocast state of the caller, which may be bfloat16.
        with torch.autocast(matrices.device.type, enabled=False):
            if ctx.run_compiled:
                found = compiled(_gradients, True, in_registers=True)(grad_cost, matrices, given, with_pose)
            else:
                found = _chunked_gradients(grad_cost, matrices, given, with_pose)
        return (found.matrices, None, None, *found[:4], None, None, None)


def _chunked_gradients(grad_cost: Tensor, matrices: Tensor, points: _Points, with_pose: bool) -> _Gradients:
    size = _chunk_poses(points)
    chunks = zip(grad_cost.split(size), matrices.split(size), strict=True)
    parts = [_gradients(grad, chunk, points, with_pose) for grad, chunk in chunks]
    grad_matrices = [part.matrices for part in parts if part.matrices is not None]
    return _Gradients(
        points_obj=torch.stack([part.points_obj for part in parts]).sum(0),
        target=torch.stack([part.target for part in parts]).sum(0),
        weights=torch.stack([part.weights for part in parts]).sum(0),
        delta=torch.stack([part.delta for part in parts]).sum(0),
        matrices=torch.cat(grad_matrices) if with_pose else None,
    )


def _chunk_poses(points: _Points) -> int:
    pairs = points.weights.shape[0] * points.weights.shape[-1]
    budget = CHUNK_PAIRS_GPU if points.weights.is_cuda else CHUNK_PAIRS_CPU
    return max(1, budget // max(1, pairs))


def sample_cost(problem: Problem, poses: Tensor, known_cost: Tensor | None = None) -> Tensor:
    """Robust cost (S, B) of poses (S, B, size), differentiable in all but the camera.

    Args:
        problem: correspondences without leading dimensions, (B, 3, N).
        poses: (S, B, size).
        known_cost: (S, B) the value of the result where it was computed before; only the gradient
            is left to do.
    """
    camera, space = problem.camera, problem.space
    centre = camera.K[:, :2, 2]  # (B, 2)
    rigid = torch.cat((space.rotmat(poses), poses[..., :3, None]), dim=-1)  # (S, B, 3, 4)
    # K2 applied to the rows of x and y
    image_rows = (camera.K[:, :2, :2, None] * rigid[..., None, :2, :]).sum(-2)  # (S, B, 2, 4)
    cost: Tensor = _SampleCost.apply(
        torch.cat((image_rows, rigid[..., 2:, :]), dim=-2),
        known_cost,
        problem.compiled,
        problem.points_obj,
        problem.points_img - centre[..., None],
        problem.weights,
        problem.delta,
        camera.lower - centre,
        camera.upper - centre,
        centre.new_full((), camera.z_min),
    )
    return cost
