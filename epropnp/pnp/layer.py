"""The probabilistic PnP layer: solver, log-evidence and gradients in one module (EPro-PnP).

A network predicts, for each of B objects, N correspondences: points `x_i` on the object (m), where they
are in the image, `u_i` (px), and how far to trust them, `w_i >= 0` (1/px, one per image axis). They make a
posterior over poses `y` with a flat prior (EPro-PnP, CVPR 2022, equations 1 to 3):

    f_i(y) = w_i * (project(R x_i + t) - u_i)               weighted reprojection error
    p(y | X) = exp(-sum_i rho(|f_i(y)|)) / Z                rho: Huber kernel, s^2 / 2 up to delta
    L_KL = sum_i rho(|f_i(y_gt)|) + log Z                   -log p(y_gt | X), the loss

`solve` finds the most likely pose and its covariance, `hypotheses` the several ones of an ambiguous view,
`monte_carlo` estimates `log Z`, `gauss_newton_step` gives the solution a derivative. The measure in Z is `dt`
(m^3) times the area on the WHOLE sphere of unit quaternions (2 pi^2), or `d yaw` with 4 degrees of freedom.

    import torch
    from epropnp.pnp import Camera, EProPnP

    layer = EProPnP()                                       # EProPnP(PnPConfig(compile=True)): faster
    K = torch.tensor([[572.4, 0.0, 325.3], [0.0, 573.6, 242.0], [0.0, 0.0, 1.0]])
    camera = Camera(K.expand(8, 3, 3), lower=torch.zeros(8, 2), upper=torch.full((8, 2), 640.0))
    points_obj = (0.1 * torch.rand(8, 256, 3)).requires_grad_()  # from your network, metres
    points_img = 200 + 100 * torch.rand(8, 256, 2)               # pixels
    weights = torch.rand(8, 256, 2, requires_grad=True)          # from your network, 1/px
    pose_gt = torch.tensor([[0.0, 0.0, 0.8, 1.0, 0.0, 0.0, 0.0]]).expand(8, 7)

    posterior = layer.monte_carlo(points_obj, points_img, weights, camera, pose_init=pose_gt)
    cost_gt = layer.cost(pose_gt, points_obj, points_img, weights, camera, posterior.delta)
    (cost_gt + posterior.log_evidence).mean().backward()         # the KL loss of equation 3
    print(posterior.solution.pose, posterior.solution.covariance, posterior.ess)
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from epropnp.pnp.amis import adaptive_samples, effective_sample_size, log_evidence
from epropnp.pnp.camera import Camera
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.cost import normal_equations
from epropnp.pnp.hypotheses import find_hypotheses, solution_of
from epropnp.pnp.lm import gauss_newton, gauss_newton_step, levenberg_marquardt
from epropnp.pnp.problem import Correspondences, Problem, adaptive_delta, widened
from epropnp.pnp.results import Hypotheses, MonteCarlo, Solution
from epropnp.pnp.rslm import candidate_poses, random_sample_lm
from epropnp.pnp.sample_cost import sample_cost
from epropnp.pnp.space import FourDoF, PoseSpace, SixDoF

BLIND_PROPOSALS = 64  # random initial poses per object where no pose competes and no number is asked for


class EProPnP(nn.Module):
    """Probabilistic perspective-n-points for 6 degrees of freedom, or 4.

    Inputs everywhere: `points_obj` (B, N, 3) metres in the object frame, `points_img` (B, N, 2) px,
    `weights` (B, N, 2) >= 0 in 1/px, `camera` of B cameras, and `mask` (B, N), false for padding where
    objects have different numbers of points. All calculation runs in the widest dtype of the three, at
    least float32, outside autocast. Nothing here waits for the device. B may be 0.

    Nothing raises inside a batch: an object whose correspondences are NaN or do not determine a pose
    (fewer than 3 points, collinear ones, no weight, all behind the camera) has `Solution.valid` false and
    leaves the others untouched.

    The module has one parameter, the logarithm of the threshold, if `learn_delta` is set, and none
    otherwise.

    Raises:
        ValueError: shapes that do not fit together.
    """

    def __init__(self, config: PnPConfig | None = None) -> None:
        super().__init__()
        self.config = config or PnPConfig()
        self.space: PoseSpace = FourDoF() if self.config.dof == 4 else SixDoF()
        start = self.config.relative_delta if self.config.kernel == "adaptive" else self.config.delta
        learnt = self.config.learn_delta and self.config.kernel != "none"
        self.log_delta = nn.Parameter(torch.tensor(math.log(start))) if learnt else None
        self._delta = start

    def delta(self, points_img: Tensor, weights: Tensor, mask: Tensor | None = None) -> Tensor:
        """Huber threshold (B,) of the configured kernel, with gradient."""
        with _full_precision(weights):
            given = widened(points_img, weights)
            if mask is not None:
                given = [torch.where(mask[..., None], x, 0.0) for x in given]
            return self._threshold(given[0], given[1], mask)

    def cost(
        self,
        pose: Tensor,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        delta: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Robust cost (..., B) of poses (..., B, 7), differentiable in all but the camera."""
        with _full_precision(weights):
            given = Correspondences(points_obj, points_img, weights, camera, mask).cleaned()
            problem = self._problem(given, delta, None)
            flat = pose.to(problem.weights)[None].flatten(0, -3)
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
        mask: Tensor | None = None,
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
            delta: (B,) Huber threshold; that of the configured kernel when omitted.
            mask: (B, N) bool, false for padding.
            init_pose: (B, 7) an initial pose that competes with the random ones.
            proposals: number of random initial poses; by default `rslm_proposals` beside an
                `init_pose` and `BLIND_PROPOSALS` without. 0 starts from `init_pose` straight away.
            iterations: of the final solver; `lm_iterations` by default.
            fast: plain Gauss-Newton instead of Levenberg-Marquardt as the final solver.
            generator: random numbers of the proposals, on the device of the tensors.

        Raises:
            ValueError: neither `init_pose` nor proposals.
        """
        with _full_precision(weights):
            given = Correspondences(points_obj, points_img, weights, camera, mask).cleaned()
            centre = self._centre(given)
            problem = self._problem(given, delta, centre)
            start = None if init_pose is None else self.space.shift_origin(init_pose.to(centre), centre)
            solution = self._solve(problem, start, proposals, iterations, fast, generator)
            return self._uncentred(solution, centre)

    @torch.no_grad()
    def hypotheses(
        self,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        *,
        count: int,
        mask: Tensor | None = None,
        proposals: int | None = None,
        iterations: int | None = None,
        generator: torch.Generator | None = None,
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
        with _full_precision(weights):
            given = Correspondences(points_obj, points_img, weights, camera, mask).cleaned()
            centre = self._centre(given)
            problem = self._problem(given, None, centre)
            starts = candidate_poses(problem, proposals, config, generator=generator)
            found = find_hypotheses(problem, starts, count, iterations, config)
            return replace(found, solution=self._uncentred(found.solution, centre))

    def gauss_newton_step(
        self,
        pose: Tensor,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        delta: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Poses (B, 7) one Gauss-Newton step from `pose` (B, 7), which is taken as constant.

        At a solution the step is near zero, but its gradient to points and weights is that of the
        solution itself: the derivative regularisation of EPro-PnP (section 3.3).
        """
        with _full_precision(weights):
            given = Correspondences(points_obj, points_img, weights, camera, mask).cleaned()
            centre = self._centre(given)
            problem = self._problem(given, delta, centre)
            start = self.space.shift_origin(pose.detach().to(centre), centre)
            step = gauss_newton_step(normal_equations(problem, start), self.config.lm_epsilon)
            return self.space.shift_origin(self.space.retract(start, step), -centre)

    def monte_carlo(
        self,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        *,
        mask: Tensor | None = None,
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
            mask: (B, N) bool, false for padding.
            pose_init: (B, 7) the ground truth in training; it competes as an initial pose, so that
                its mode is covered.
            generator: random numbers, on the device of the tensors.
        """
        with _full_precision(weights):
            given = Correspondences(points_obj, points_img, weights, camera, mask).cleaned()
            centre = self._centre(given)
            problem = self._problem(given, None, centre)
            fixed = problem.detach()
            with torch.no_grad():
                start = None if pose_init is None else self.space.shift_origin(pose_init.to(centre), centre)
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

    def _threshold(self, points_img: Tensor, weights: Tensor, mask: Tensor | None) -> Tensor:
        if self.config.kernel == "none":
            return weights.new_full(weights.shape[:1], torch.inf)
        delta = self._delta if self.log_delta is None else self.log_delta.exp()
        if self.config.kernel == "adaptive":
            return adaptive_delta(points_img, weights, mask, delta)
        return delta * weights.new_ones(weights.shape[:1])

    def _centre(self, given: Correspondences) -> Tensor:
        """The point (B, 3) of the object that the solver turns it about."""
        centre = given.centre()
        return centre if self.config.centred else torch.zeros_like(centre)

    def _problem(self, given: Correspondences, delta: Tensor | None, centre: Tensor | None) -> Problem:
        if delta is None:
            delta = self._threshold(given.points_img, given.weights, given.mask)
        return given.problem(delta, self.space, centre, self.config.compile)

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
        generator: torch.Generator | None,
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
        return solution_of(solver(problem, pose, iterations, config), config)


def _full_precision(like: Tensor) -> torch.autocast:
    return torch.autocast(like.device.type, enabled=False)
