"""Levenberg-Marquardt step by step against the rules of Ceres, written down again with plain loops."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from epropnp.pnp import Camera, PnPConfig, lm, pose
from epropnp.pnp.cost import normal_equations
from epropnp.pnp.lm import gauss_newton, gauss_newton_step, levenberg_marquardt
from epropnp.pnp.problem import Problem
from tests.pnp.scenes import Scene, make_scene, perturbed, problem_of

ITERATIONS = 9


@dataclass
class Reference:
    """One object's state; the rules are those of Ceres, after Madsen, Nielsen and Tingleff (2004)."""

    scene: Scene
    pose: Tensor  # (7,)
    config: PnPConfig
    radius: float
    divisor: float = 2.0

    def residual(self, local: Tensor) -> Tensor:
        cam = pose.transform(pose.retract(self.pose, local), self.scene.points_obj[0])
        image = cam @ self.scene.camera.K[0].T
        return (self.scene.weights[0] * (image[:, :2] / image[:, 2:] - self.scene.points_img[0])).flatten()

    def linearised(self) -> tuple[Tensor, Tensor]:
        """Gradient and Gauss-Newton Hessian."""
        zero = torch.zeros(6, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(self.residual, zero)
        return jacobian.T @ self.residual(zero), jacobian.T @ jacobian

    def cost(self, local: Tensor) -> float:
        return 0.5 * self.residual(local).square().sum().item()

    def iterate(self) -> bool:
        """One iteration; whether its step was taken."""
        config, (gradient, hessian) = self.config, self.linearised()
        damping = hessian.diagonal().clamp(config.lm_min_diagonal, config.lm_max_diagonal) / self.radius
        step = torch.linalg.solve(hessian + torch.diag(damping + config.lm_epsilon), -gradient)
        predicted = -(gradient @ step + 0.5 * step @ hessian @ step).item()
        gain = (self.cost(torch.zeros(6).double()) - self.cost(step)) / predicted
        if gain < config.lm_min_relative_decrease:
            self.radius /= self.divisor
            self.divisor *= 2
            return False
        self.pose = pose.retract(self.pose, step)
        self.radius /= max(1 / 3, 1 - (2 * gain - 1) ** 3)
        self.divisor = 2.0
        return True


def unclamped(seed: int = 0, weight: float = 1.0) -> Scene:
    scene = make_scene(1, 12, seed=seed, weight=weight)
    box = torch.full((1, 2), 1e6, dtype=torch.float64)
    return replace(scene, camera=Camera(scene.camera.K, -box, box))


def squares(scene: Scene) -> Problem:
    return problem_of(scene, torch.full(scene.weights.shape[:1], torch.inf).to(scene.weights))


CONFIGS = {  # and which steps are taken, one character each
    "wide at first": (PnPConfig(lm_initial_radius=1e4), "--+---+++"),
    "narrow at first": (PnPConfig(lm_initial_radius=0.05), "+++++++++"),
    "hard to please": (PnPConfig(lm_initial_radius=1e3, lm_min_relative_decrease=0.8), "+----+---"),
    "lower clamp": (PnPConfig(lm_initial_radius=1.0, lm_min_diagonal=3e6), "+++++++++"),
    "upper clamp": (PnPConfig(lm_initial_radius=1.0, lm_max_diagonal=1e5), "++--+++++"),
    "large epsilon": (PnPConfig(lm_initial_radius=1e3, lm_epsilon=1e5), "+++++++++"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_every_iteration_is_that_of_the_reference(name: str) -> None:
    """Poses after 0, 1, 2 ... iterations: they show the radius that each accepted or rejected step leaves."""
    (config, steps), scene = CONFIGS[name], unclamped()
    start = perturbed(scene, 1, scale=0.7, seed=4)[0]
    reference = Reference(scene, start[0], config, config.lm_initial_radius)
    cost, seen = torch.inf, list[str]()
    for iterations in range(ITERATIONS + 1):
        found = levenberg_marquardt(squares(scene), start, iterations, config)
        torch.testing.assert_close(found.pose[0], reference.pose, atol=1e-7, rtol=0)
        assert found.accepted.tolist() == [seen.count("+")]
        assert found.normal.cost.item() == pytest.approx(reference.cost(torch.zeros(6).double()), rel=1e-6)
        assert found.normal.cost.item() <= cost  # never rises
        cost = found.normal.cost.item()
        if iterations < ITERATIONS:
            seen.append("+" if reference.iterate() else "-")
    assert "".join(seen) == steps


def test_in_single_precision_it_ends_in_the_minimum() -> None:
    """Not where the last digit of the cost stops it, which is another place on each device."""
    scene = make_scene(16, 1024, noise_px=2.0, weight=0.05, seed=5, dtype=torch.float32)
    start = perturbed(scene, 1, scale=0.1, seed=6)[0]
    found = levenberg_marquardt(squares(scene), start, 12, PnPConfig())
    normal = normal_equations(squares(_doubled(scene)), found.pose.double())
    left = -torch.linalg.solve(normal.hessian, normal.gradient)
    deviations = (left * normal.gradient).sum(-1).neg().sqrt()  # from the minimum, in standard deviations
    assert deviations.max() < 3e-5


def test_gauss_newton_takes_every_finite_step_whole() -> None:
    config, scene = PnPConfig(lm_epsilon=300.0), unclamped()  # large enough to be seen
    start = perturbed(scene, 1, scale=0.2, seed=4)[0]
    reference = Reference(scene, start[0], config, radius=torch.inf)
    for iterations in range(4):
        found = gauss_newton(squares(scene), start, iterations, config)
        torch.testing.assert_close(found.pose[0], reference.pose, atol=1e-9, rtol=0)
        assert found.accepted.tolist() == [iterations]
        gradient, hessian = reference.linearised()
        torch.testing.assert_close(found.normal.hessian[0], hessian, atol=1e-6, rtol=1e-9)
        step = torch.linalg.solve(hessian + 300 * torch.eye(6).double(), -gradient)
        torch.testing.assert_close(gauss_newton_step(found.normal, 300.0)[0], step, atol=1e-9, rtol=1e-9)
        reference.pose = pose.retract(reference.pose, step)


def test_objects_of_a_batch_keep_radii_of_their_own() -> None:
    """One whose steps are all taken beside one with rejected steps: each as by itself."""
    scene, config = unclamped(), PnPConfig(lm_initial_radius=1e4)
    starts = [perturbed(scene, 1, scale=scale, seed=4)[0] for scale in (0.01, 0.7)]
    pair = replace(scene.each(lambda x: x.expand(2, -1, -1)), camera=_twice(scene))
    both = levenberg_marquardt(squares(pair), torch.cat(starts), 8, config)
    for index, start in enumerate(starts):
        alone = levenberg_marquardt(squares(scene), start, 8, config)
        torch.testing.assert_close(both.pose[index], alone.pose[0], atol=1e-9, rtol=0)
        assert both.accepted[index] == alone.accepted[0]
    assert both.accepted[1] < 8


def test_a_step_that_the_model_calls_uphill_is_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cost and model rise together there, so that their ratio alone would look good."""
    scene = unclamped()
    start = perturbed(scene, 1, scale=0.01, seed=4)[0]
    monkeypatch.setattr(lm, "solve_spd", lambda matrix, right: -torch.linalg.solve(matrix, right))
    found = levenberg_marquardt(squares(scene), start, 3, PnPConfig())
    assert torch.equal(found.pose, start)
    assert found.accepted.tolist() == [0]


def _doubled(scene: Scene) -> Scene:
    K, lower, upper = (x.double() for x in (scene.camera.K, scene.camera.lower, scene.camera.upper))
    return replace(scene.each(torch.Tensor.double), camera=Camera(K, lower, upper))


def _twice(scene: Scene) -> Camera:
    given = scene.camera
    K, lower, upper = (x.expand(2, *x.shape[1:]) for x in (given.K, given.lower, given.upper))
    return Camera(K, lower, upper)
