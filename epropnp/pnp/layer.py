"""The probabilistic PnP layer: solver, log-evidence and gradients in one module (EPro-PnP).

Poses and how sure they are, from where points of each object are in the image:

    import torch
    from epropnp.pnp import Camera, Correspondences, EProPnP

    # 8 objects of 256 points, unturned and 0.8 m ahead; points and weights will be your network's
    points_obj = 0.1 * torch.rand(8, 256, 3)                                    # metres
    points_img = 570 * points_obj[..., :2] / (points_obj[..., 2:] + 0.8) + 320  # px
    K = torch.tensor([[570.0, 0, 320], [0, 570, 320], [0, 0, 1]]).expand(8, 3, 3)
    correspondences = Correspondences(
        points_obj=points_obj,
        points_img=points_img,
        weights=torch.ones(8, 256, 2),                                          # 1/px
        camera=Camera(K, lower=torch.zeros(8, 2), upper=torch.full((8, 2), 640.0)),
    )
    layer = EProPnP()                                    # EProPnP(PnPConfig(compile=True)): faster
    solution = layer.solve(correspondences)
    print(solution.pose, solution.covariance)            # (8, 7), (8, 6, 6)

Samples of the whole posterior, each with its weight:

    posterior = layer.monte_carlo(correspondences)
    print(posterior.samples, posterior.log_weights)      # (512, 8, 7), (512, 8)

The loss under which the posteriors of a network learn to hold the true poses:

    correspondences.weights.requires_grad_()             # as what a network predicts has it already
    pose_true = torch.tensor([0, 0, 0.8, 1, 0, 0, 0]).expand(8, 7)
    posterior = layer.monte_carlo(correspondences, init_pose=pose_true)
    cost_true = layer.cost(correspondences, pose_true, delta=posterior.delta)
    (cost_true + posterior.log_evidence).mean().backward()

How that works: points `x_i` on the object (m), seen at `u_i` (px) and trusted by `w_i >= 0` (1/px, one per
image axis), make a posterior over poses `y` with a flat prior (EPro-PnP, CVPR 2022, equations 1 to 3):

    f_i(y) = w_i * (project(R x_i + t) - u_i)               weighted reprojection error
    p(y | X) = exp(-sum_i rho(|f_i(y)|)) / Z                rho: Huber kernel, s^2 / 2 up to delta
    L_KL = sum_i rho(|f_i(y_true)|) + log Z                 -log p(y_true | X), the loss

`solve` finds the most likely pose and its covariance, `hypotheses` the several ones of an ambiguous view,
`monte_carlo` estimates `log Z`, `gauss_newton_step` gives the solution a derivative. The measure in Z is `dt`
(m^3) times the area on the WHOLE sphere of unit quaternions (2 pi^2), or `d yaw` with 4 degrees of freedom.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from epropnp.pnp.amis import adaptive_samples, effective_sample_size, log_evidence
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.correspondences import Correspondences
from epropnp.pnp.cost import normal_equations
from epropnp.pnp.draws import Randomness
from epropnp.pnp.enough import overdetermined
from epropnp.pnp.hypotheses import find_hypotheses, solution_of
from epropnp.pnp.lm import gauss_newton, gauss_newton_step, levenberg_marquardt
from epropnp.pnp.problem import Problem, adaptive_delta, cleaned, weighted_centre
from epropnp.pnp.results import Hypotheses, MonteCarlo, Solution
from epropnp.pnp.rslm import candidate_poses, random_sample_lm
from epropnp.pnp.sample_cost import sample_cost
from epropnp.pnp.space import FourDoF, PoseSpace, SixDoF

BLIND_PROPOSALS = 64  # random initial poses per object where no pose competes and no number is asked for


class EProPnP(nn.Module):
    """Probabilistic perspective-n-points for 6 degrees of freedom, or 4.

    Every method takes `Correspondences` of B objects first. All calculation runs in the widest dtype of
    their points and weights, at least float32, outside autocast. Nothing here waits for the device.

    Nothing raises inside a batch: an object whose correspondences are NaN or do not determine a pose
    (fewer than 4 different points, collinear ones, no weight, all behind the camera) has `Solution.valid`
    false and leaves the others untouched.

    The module has one parameter, the logarithm of the threshold, if `learn_delta` is set, and none
    otherwise.
    """

    def __init__(self, config: PnPConfig | None = None) -> None:
        super().__init__()
        self.config = config or PnPConfig()
        self.space: PoseSpace = FourDoF() if self.config.dof == 4 else SixDoF()
        start = self.config.relative_delta if self.config.kernel == "adaptive" else self.config.delta
        learnt = self.config.learn_delta and self.config.kernel != "none"
        self.log_delta = nn.Parameter(torch.tensor(math.log(start))) if learnt else None
        self._delta = start

    @torch.no_grad()
    def solve(
        self,
        correspondences: Correspondences,
        *,
        delta: Tensor | None = None,
        init_pose: Tensor | None = None,
        proposals: int | None = None,
        iterations: int | None = None,
        fast: bool = False,
        generator: Randomness = None,
    ) -> Solution:
        """Most likely poses.

        Args:
            correspondences: of B objects.
            delta: (B,) Huber threshold; that of the configured kernel when omitted.
            init_pose: (B, 7) an initial pose that competes with the random ones; its quaternion may have any
                length but 0.
            proposals: number of random initial poses; by default `rslm_proposals` beside an
                `init_pose` and `BLIND_PROPOSALS` without. 0 starts from `init_pose` straight away.
            iterations: of the final solver; `lm_iterations` by default.
            fast: plain Gauss-Newton instead of Levenberg-Marquardt as the final solver.
            generator: random numbers of the proposals; `SameDraws` make an object's pose its own affair.

        Raises:
            ValueError: neither `init_pose` nor proposals.
        """
        with _full_precision(correspondences):
            given = cleaned(correspondences)
            centre = self._centre(given)
            problem = self._problem(given, delta, centre)
            start = None if init_pose is None else self._centred(init_pose, centre)
            solution = self._solve(problem, start, proposals, iterations, fast, generator)
            return self._uncentred(solution, centre)

    @torch.no_grad()
    def hypotheses(
        self,
        correspondences: Correspondences,
        *,
        count: int,
        proposals: int | None = None,
        iterations: int | None = None,
        generator: Randomness = None,
    ) -> Hypotheses:
        """The `count` most probable poses that differ, where correspondences allow several.

        The other arguments are as of `solve`.

        Raises:
            ValueError: `count` is not between 1 and the number of proposals.
        """
        config = self.config
        proposals = BLIND_PROPOSALS if proposals is None else proposals
        if not 1 <= count <= proposals:
            raise ValueError(f"hypotheses: {count} of {proposals} proposals")
        iterations = config.lm_iterations if iterations is None else iterations
        with _full_precision(correspondences):
            given = cleaned(correspondences)
            centre = self._centre(given)
            problem = self._problem(given, None, centre)
            starts = candidate_poses(problem, proposals, config, generator=generator)
            found = find_hypotheses(problem, starts, count, iterations, config)
            return replace(found, solution=self._uncentred(found.solution, centre))

    def monte_carlo(
        self,
        correspondences: Correspondences,
        *,
        init_pose: Tensor | None = None,
        generator: Randomness = None,
    ) -> MonteCarlo:
        """Solve, then sample the posterior around the solution and estimate its log-evidence.

        Gradient flows through the cost of the samples to points, weights and the adaptive
        threshold; the samples and the density of their proposals are constants.

        Args:
            correspondences: of B objects.
            init_pose: (B, 7) the ground truth in training; it competes as an initial pose, so that
                its mode is covered.
            generator: random numbers, as of `solve`.
        """
        with _full_precision(correspondences):
            given = cleaned(correspondences)
            centre = self._centre(given)
            problem = self._problem(given, None, centre)
            fixed = problem.detach()
            with torch.no_grad():
                start = None if init_pose is None else self._centred(init_pose, centre)
                solution = self._solve(fixed, start, None, None, False, generator)
            samples = adaptive_samples(fixed, solution.pose, solution.covariance, self.config, generator)
            cost = sample_cost(problem, samples.poses, known_cost=samples.cost)
            log_weights = -cost - samples.log_proposal
            return MonteCarlo(
                solution=self._uncentred(solution, centre),
                samples=self.space.shift_origin(samples.poses, -centre),
                cost=cost,
                log_weights=log_weights,
                log_evidence=log_evidence(log_weights),
                ess=effective_sample_size(log_weights.detach()),
                delta=problem.delta,
            )

    def cost(self, correspondences: Correspondences, pose: Tensor, *, delta: Tensor | None = None) -> Tensor:
        """Robust cost (..., B) of poses (..., B, 7), differentiable in all but the camera.

        `delta` (B,) is the Huber threshold, by default that of the configured kernel.
        """
        with _full_precision(correspondences):
            given = cleaned(correspondences)
            problem = self._problem(given, delta, None)
            flat = pose.to(problem.weights)[None].flatten(0, -3)
            return sample_cost(problem, flat).reshape(pose.shape[:-1])

    def delta(self, correspondences: Correspondences) -> Tensor:
        """Huber threshold (B,) of the configured kernel, with gradient."""
        with _full_precision(correspondences):
            return self._threshold(cleaned(correspondences))

    def gauss_newton_step(
        self, correspondences: Correspondences, pose: Tensor, *, delta: Tensor | None = None
    ) -> Tensor:
        """Poses (B, 7) one Gauss-Newton step from `pose` (B, 7), which is taken as constant.

        At a solution the step is near zero, but its gradient to points and weights is that of the
        solution itself: the derivative regularisation of EPro-PnP (section 3.3).
        """
        with _full_precision(correspondences):
            given = cleaned(correspondences)
            centre = self._centre(given)
            problem = self._problem(given, delta, centre)
            start = self._centred(pose.detach(), centre)
            step = gauss_newton_step(normal_equations(problem, start), self.config.lm_epsilon)
            return self.space.shift_origin(self.space.retract(start, step), -centre)

    def _threshold(self, given: Correspondences) -> Tensor:
        weights = given.weights
        if self.config.kernel == "none":
            return weights.new_full(weights.shape[:1], torch.inf)
        delta = self._delta if self.log_delta is None else self.log_delta.exp()
        if self.config.kernel == "adaptive":
            return adaptive_delta(given.points_img, weights, given.mask, delta)
        return delta * weights.new_ones(weights.shape[:1])

    def _centre(self, given: Correspondences) -> Tensor:
        """The point (B, 3) of the object that the solver turns it about."""
        centre = weighted_centre(given)
        return centre if self.config.centred else torch.zeros_like(centre)

    def _problem(self, given: Correspondences, delta: Tensor | None, centre: Tensor | None) -> Problem:
        delta = self._threshold(given) if delta is None else delta
        return Problem.of(given, delta, self.space, centre, self.config.compile)

    def _centred(self, pose: Tensor, centre: Tensor) -> Tensor:
        """The start that a caller gives, of any length of its quaternion, as the solver sees it."""
        return self.space.shift_origin(self.space.normalised(pose.to(centre)), centre)

    def _uncentred(self, solution: Solution, centre: Tensor) -> Solution:
        return replace(
            solution,
            pose=self.space.shift_origin(solution.pose, -centre),
            covariance=self.space.shift_covariance(solution.covariance, solution.pose, -centre),
        )

    def _solve(
        self,
        problem: Problem,
        pose: Tensor | None,
        proposals: int | None,
        iterations: int | None,
        fast: bool,
        generator: Randomness,
    ) -> Solution:
        config = self.config
        if proposals is None:
            proposals = BLIND_PROPOSALS if pose is None else config.rslm_proposals
        if proposals > 0:
            pose = random_sample_lm(problem, proposals, config, pose, generator)
        if pose is None:
            raise ValueError("solve: give an init_pose or at least one proposal")
        solver = gauss_newton if fast else levenberg_marquardt
        iterations = config.lm_iterations if iterations is None else iterations
        solution = solution_of(solver(problem, pose, iterations, config), config)
        return replace(solution, valid=solution.valid & overdetermined(problem))


def _full_precision(given: Correspondences) -> torch.autocast:
    return torch.autocast(given.weights.device.type, enabled=False)
