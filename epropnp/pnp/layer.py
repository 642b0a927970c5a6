"""The probabilistic PnP layer: solver, log-evidence and gradients in one module (EPro-PnP)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from epropnp.pnp.amis import adaptive_samples, effective_sample_size, log_evidence
from epropnp.pnp.camera import Camera
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.cost import Problem, adaptive_delta, normal_equations
from epropnp.pnp.linalg import inverse_spd
from epropnp.pnp.lm import gauss_newton, gauss_newton_step, levenberg_marquardt
from epropnp.pnp.pose import retract
from epropnp.pnp.rslm import random_sample_lm
from epropnp.pnp.sample_cost import sample_cost


@dataclass(frozen=True)
class Solution:
    """Most likely poses, without gradient."""

    pose: Tensor  # (B, 7)
    covariance: Tensor  # (B, 6, 6) inverse Gauss-Newton Hessian, m and rad, see `pose.retract`
    cost: Tensor  # (B,) robust cost, the negative log posterior up to log Z
    accepted: Tensor  # (B,) bool: the final solver took a step; false at a minimum or for NaN


@dataclass(frozen=True)
class MonteCarlo:
    """A solution with S = amis_iterations x amis_samples weighted samples of the posterior."""

    solution: Solution
    samples: Tensor  # (S, B, 7) poses, without gradient
    log_weights: Tensor  # (S, B) unnormalised, with gradient; softmax over S normalises them
    log_evidence: Tensor  # (B,) log Z, with gradient; measure in `epropnp.pnp.amis`
    ess: Tensor  # (B,) effective sample size, without gradient
    delta: Tensor  # (B,) Huber threshold, with gradient


class EProPnP(nn.Module):
    """Probabilistic perspective-n-points for 6 degrees of freedom; a module without parameters.

    Inputs everywhere: `points_obj` (B, N, 3) metres in the object frame, `points_img` (B, N, 2) px,
    `weights` (B, N, 2) >= 0 in 1/px, `camera` of B cameras. All calculation runs in the widest
    dtype of the three, at least float32, outside autocast. Nothing here waits for the device. A NaN
    in one object stays in that object.

    Raises:
        ValueError: shapes that do not fit together.
    """

    def __init__(self, config: PnPConfig | None = None) -> None:
        super().__init__()
        self.config = config or PnPConfig()

    def delta(self, points_img: Tensor, weights: Tensor) -> Tensor:
        """Adaptive Huber threshold (B,), with gradient; see `epropnp.pnp.cost.adaptive_delta`."""
        with _full_precision(weights):
            dtype = _wide(points_img, weights)
            return adaptive_delta(points_img.to(dtype), weights.to(dtype), self.config.relative_delta)

    def cost(
        self,
        pose: Tensor,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        delta: Tensor | None = None,
    ) -> Tensor:
        """Robust cost (..., B) of poses (..., B, 7), differentiable in all but the camera."""
        with _full_precision(weights):
            problem = self._problem(points_obj, points_img, weights, camera, delta)
            flat = pose.to(problem.weights).reshape(-1, *pose.shape[-2:])
            return sample_cost(problem, flat).reshape(pose.shape[:-1])

    @torch.no_grad()
    def solve(
        self,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        *,
        delta: Tensor | None = None,
        init_pose: Tensor | None = None,
        proposals: int | None = None,
        iterations: int | None = None,
        fast: bool = False,
        generator: torch.Generator | None = None,
    ) -> Solution:
        """Most likely poses.

        Args:
            points_obj: (B, N, 3).
            points_img: (B, N, 2).
            weights: (B, N, 2).
            camera: B cameras.
            delta: (B,) Huber threshold; the adaptive one when omitted.
            init_pose: (B, 7) an initial pose that competes with the random ones.
            proposals: number of random initial poses; by default `rslm_proposals` beside an
                `init_pose` and `rslm_proposals_blind` without. 0 starts from `init_pose` straight
                away.
            iterations: of the final solver; `lm_iterations` by default.
            fast: plain Gauss-Newton instead of Levenberg-Marquardt as the final solver.
            generator: random numbers of the proposals, on the device of the tensors.

        Raises:
            ValueError: neither `init_pose` nor proposals.
        """
        with _full_precision(weights):
            problem = self._problem(points_obj, points_img, weights, camera, delta)
            return self._solve(problem, init_pose, proposals, iterations, fast, generator)

    def gauss_newton_step(
        self,
        pose: Tensor,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        delta: Tensor | None = None,
    ) -> Tensor:
        """Poses (B, 7) one Gauss-Newton step from `pose` (B, 7), which is taken as constant.

        At a solution the step is near zero, but its gradient to points and weights is that of the
        solution itself: the derivative regularisation of EPro-PnP (section 3.3).
        """
        with _full_precision(weights):
            problem = self._problem(points_obj, points_img, weights, camera, delta)
            pose = pose.detach().to(problem.weights)
            step = gauss_newton_step(normal_equations(problem, pose), self.config.lm_epsilon)
            return retract(pose, step)

    def monte_carlo(
        self,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        *,
        pose_init: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> MonteCarlo:
        """Solve, then sample the posterior around the solution and estimate its log-evidence.

        Gradient flows through the cost of the samples to points, weights and the adaptive
        threshold; the samples and the density of their proposals are constants.

        Args:
            points_obj: (B, N, 3).
            points_img: (B, N, 2).
            weights: (B, N, 2).
            camera: B cameras.
            pose_init: (B, 7) the ground truth in training; it competes as an initial pose, so that
                its mode is covered.
            generator: random numbers, on the device of the tensors.
        """
        with _full_precision(weights):
            problem = self._problem(points_obj, points_img, weights, camera, None)
            fixed = problem.detach()
            with torch.no_grad():
                solution = self._solve(fixed, pose_init, None, None, False, generator)
            samples = adaptive_samples(fixed, solution.pose, solution.covariance, self.config, generator)
            cost = sample_cost(problem, samples.poses, known_cost=samples.cost)
            log_weights = -cost - samples.log_proposal
            return MonteCarlo(
                solution=solution,
                samples=samples.poses,
                log_weights=log_weights,
                log_evidence=log_evidence(log_weights),
                ess=effective_sample_size(log_weights.detach()),
                delta=problem.delta,
            )

    def _problem(
        self,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        delta: Tensor | None,
    ) -> Problem:
        _check_shapes(points_obj, points_img, weights, camera)
        dtype = _wide(points_obj, points_img, weights)
        img, weight = points_img.to(dtype), weights.to(dtype)
        if delta is None:
            delta = adaptive_delta(img, weight, self.config.relative_delta)
        return Problem(
            points_obj=points_obj.to(dtype).mT.contiguous(),
            points_img=img.mT.contiguous(),
            weights=weight.mT.contiguous(),
            camera=camera.to(weight),
            delta=delta.to(dtype),
        )

    def _solve(
        self,
        problem: Problem,
        init_pose: Tensor | None,
        proposals: int | None,
        iterations: int | None,
        fast: bool,
        generator: torch.Generator | None,
    ) -> Solution:
        config = self.config
        pose = None if init_pose is None else init_pose.to(problem.weights)
        if proposals is None:
            proposals = config.rslm_proposals_blind if pose is None else config.rslm_proposals
        if proposals > 0:
            pose = random_sample_lm(problem, proposals, config, pose, generator)
        if pose is None:
            raise ValueError("solve: give an init_pose or at least one proposal")
        solver = gauss_newton if fast else levenberg_marquardt
        iterations = config.lm_iterations if iterations is None else iterations
        result = solver(problem, pose, iterations, config)
        eye = torch.eye(6, dtype=pose.dtype, device=pose.device)
        covariance = inverse_spd(result.normal.hessian + config.lm_epsilon * eye)
        return Solution(result.pose, covariance, result.normal.cost, result.accepted)


def _full_precision(like: Tensor) -> torch.autocast:
    return torch.autocast(like.device.type, enabled=False)


def _wide(*tensors: Tensor) -> torch.dtype:
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype


def _check_shapes(points_obj: Tensor, points_img: Tensor, weights: Tensor, camera: Camera) -> None:
    batch, count = points_obj.shape[:2]
    expected = {"points_obj": (batch, count, 3), "points_img": (batch, count, 2)}
    expected |= {"weights": (batch, count, 2), "camera.K": (batch, 3, 3)}
    actual = dict(zip(expected, (points_obj, points_img, weights, camera.K), strict=True))
    for name, shape in expected.items():
        if tuple(actual[name].shape) != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {tuple(actual[name].shape)}")
