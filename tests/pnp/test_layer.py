"""What the methods of the layer pass on: defaults, masks, thresholds, and the derivative of a solution."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from epropnp.pnp import Camera, EProPnP, PnPConfig
from epropnp.pnp import layer as layer_module
from epropnp.pnp.problem import Problem
from tests.pnp.scenes import Scene, make_scene, perturbed, plain_cost, problem_of

CONFIG = PnPConfig(lm_iterations=6, rslm_proposals=3, amis_iterations=2, amis_samples=8)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arguments of the latest call of each function that the layer's methods end in; 11 blind proposals."""
    monkeypatch.setattr(layer_module, "BLIND_PROPOSALS", 11)
    seen: dict[str, Any] = {}
    for name in ("levenberg_marquardt", "gauss_newton", "random_sample_lm", "candidate_poses"):
        original = getattr(layer_module, name)

        def spy(*args: Any, _name: str = name, _original: Any = original, **kwargs: Any) -> Any:
            seen[_name] = args + tuple(kwargs.values())
            return _original(*args, **kwargs)

        monkeypatch.setattr(layer_module, name, spy)
    return seen


@pytest.mark.parametrize(("given", "expected"), [((None, False), 11), ((None, True), 3), ((5, True), 5)])
def test_number_of_random_starts(
    given: tuple[int | None, bool], expected: int, calls: dict[str, Any]
) -> None:
    scene, (proposals, with_start) = make_scene(2, 20), given
    start = scene.pose_gt if with_start else None
    EProPnP(CONFIG).solve(scene.correspondences, init_pose=start, proposals=proposals)
    assert calls["random_sample_lm"][1] == expected
    assert calls["levenberg_marquardt"][2] == 6
    assert (calls["random_sample_lm"][3] is None) is not with_start


@pytest.mark.parametrize("fast", [False, True])
def test_iterations_are_those_of_the_final_solver(fast: bool, calls: dict[str, Any]) -> None:
    scene = make_scene(2, 20)
    EProPnP(CONFIG).solve(scene.correspondences, iterations=2, fast=fast)
    final = {True: "gauss_newton", False: "levenberg_marquardt"}
    assert calls[final[fast]][2] == 2
    assert final[not fast] not in calls


def test_sampling_starts_from_what_solve_finds(calls: dict[str, Any]) -> None:
    scene = make_scene(2, 20)
    solved = EProPnP(CONFIG).solve(scene.correspondences, generator=torch.Generator().manual_seed(1))
    blind = EProPnP(CONFIG).monte_carlo(scene.correspondences, generator=torch.Generator().manual_seed(1))
    assert calls["random_sample_lm"][1] == 11
    assert torch.equal(blind.solution.pose, solved.pose)
    EProPnP(CONFIG).monte_carlo(scene.correspondences, init_pose=scene.pose_gt)
    assert calls["random_sample_lm"][1] == 3


def test_defaults_of_the_hypotheses(calls: dict[str, Any]) -> None:
    scene = make_scene(2, 20)
    found = EProPnP(CONFIG).hypotheses(scene.correspondences, count=2)
    assert calls["candidate_poses"][1] == 11
    exact = EProPnP(CONFIG).hypotheses(scene.correspondences, count=2, iterations=30).solution
    assert (found.solution.cost[0] >= exact.cost[0] - 1e-9).all()
    EProPnP(CONFIG).hypotheses(scene.correspondences, count=2, proposals=5)
    assert calls["candidate_poses"][1] == 5


def test_the_solution_is_the_inverse_hessian_at_its_pose() -> None:
    """With the small number on the diagonal that the settings name, and no other."""
    scene, epsilon = make_scene(2, 12), 50.0
    layer = EProPnP(PnPConfig(kernel="none", centred=False, lm_epsilon=epsilon))
    found = layer.solve(scene.correspondences, init_pose=scene.pose_gt, proposals=0, iterations=3)
    problem = problem_of(scene, torch.full((2,), torch.inf).double())
    hessian = layer_module.normal_equations(problem, found.pose).hessian
    inverse = torch.linalg.inv(hessian + epsilon * torch.eye(6).double())
    torch.testing.assert_close(found.covariance, inverse, atol=0, rtol=1e-6)
    torch.testing.assert_close(found.cost, plain_cost(found.pose[None], scene, problem.delta)[0])


def part(scene: Scene, count: int) -> Scene:
    """The first points alone."""
    obj, img, weights = (x[:, :count] for x in scene.tensors)
    return Scene(obj, img, weights, scene.camera, scene.pose_gt)


def test_masks_hold_for_steps_and_hypotheses() -> None:
    scene = make_scene(2, 30)
    mask = (torch.arange(30) < 18).expand(2, 30)
    broken = dataclasses.replace(scene, points_img=torch.where(mask[..., None], scene.points_img, 1e4))
    start, layer = perturbed(scene, 1, scale=0.01)[0], EProPnP()
    short = part(scene, 18).correspondences
    masked = dataclasses.replace(broken.correspondences, mask=mask)
    step = layer.gauss_newton_step(masked, start)
    torch.testing.assert_close(step, layer.gauss_newton_step(short, start))
    found, alone = (
        layer.hypotheses(given, count=1, iterations=20, generator=torch.Generator().manual_seed(0))
        for given in (masked, short)
    )
    torch.testing.assert_close(found.solution.cost, alone.solution.cost, rtol=1e-6, atol=0)


def test_a_threshold_that_is_given_holds_for_costs_solutions_and_steps() -> None:
    scene = make_scene(2, 20, outliers=0.3)
    start, layer = perturbed(scene, 1, scale=0.01)[0], EProPnP()
    delta = torch.tensor([0.3, 4.0]).double()
    torch.testing.assert_close(
        layer.cost(scene.correspondences, start, delta=delta), plain_cost(start[None], scene, delta)[0]
    )
    found = layer.solve(scene.correspondences, delta=delta, init_pose=start, proposals=0, iterations=0)
    torch.testing.assert_close(found.cost, plain_cost(start[None], scene, delta)[0])
    steps = [layer.gauss_newton_step(scene.correspondences, start, delta=d) for d in (delta, None)]
    each = EProPnP(PnPConfig(kernel="fixed", delta=4.0)).gauss_newton_step(scene.correspondences, start)
    torch.testing.assert_close(steps[0][1], each[1])
    assert not torch.equal(steps[0], steps[1])


def test_the_derivative_of_the_step_is_that_of_the_solution() -> None:
    """Without noise Gauss' and Newton's Hessian is exact: solving again with shifted points says the same."""
    scene = make_scene(1, 10, noise_px=0.0)
    layer = EProPnP(PnPConfig(kernel="none", lm_epsilon=1e-9))

    def solved(shift: float) -> Tensor:
        points_img = scene.points_img.clone()
        points_img[0, 4, 1] += shift
        given = dataclasses.replace(scene.correspondences, points_img=points_img)
        return layer.solve(given, init_pose=scene.pose_gt, proposals=0, iterations=20).pose[0]

    expected = (solved(1e-3) - solved(-1e-3)) / 2e-3
    leaves = scene.leaves()
    step = layer.gauss_newton_step(leaves.correspondences, scene.pose_gt)
    for k in range(7):
        (gradient,) = torch.autograd.grad(step[0, k], leaves.points_img, retain_graph=True)
        assert gradient[0, 4, 1].item() == pytest.approx(expected[k].item(), rel=1e-3, abs=1e-9)


def test_the_derivative_of_the_step_agrees_with_finite_differences() -> None:
    """Away from the solution, where the Hessian has a part in it, for points and weights."""
    scene = make_scene(1, 5, outliers=0.2).leaves()
    layer = EProPnP(PnPConfig(centred=False))
    delta = layer.delta(scene.correspondences).detach()
    start = perturbed(scene, 1, scale=0.02)[0].detach().requires_grad_()

    def step(points_obj: Tensor, points_img: Tensor, weights: Tensor) -> Tensor:
        given = dataclasses.replace(
            scene.correspondences, points_obj=points_obj, points_img=points_img, weights=weights
        )
        return layer.gauss_newton_step(given, start, delta=delta)

    assert torch.autograd.gradcheck(step, scene.tensors, eps=1e-6, atol=1e-5, rtol=1e-4)
    (gradient,) = torch.autograd.grad(
        step(*scene.tensors).sum(), start, allow_unused=True
    )  # the pose is a constant
    assert gradient is None


def test_a_layer_without_a_kernel_has_no_threshold_to_learn() -> None:
    assert not list(EProPnP(PnPConfig(kernel="none", learn_delta=True)).parameters())


def test_a_learnt_threshold_is_the_exponential_of_its_parameter() -> None:
    scene = make_scene(2, 10)
    for kernel in ("adaptive", "fixed"):
        layer = EProPnP(PnPConfig(kernel=kernel, learn_delta=True, delta=2.0)).double()
        before = layer.delta(scene.correspondences)
        assert layer.log_delta is not None
        layer.log_delta.data += 0.5
        after = layer.delta(scene.correspondences)
        torch.testing.assert_close(after / before, torch.full((2,), 0.5).double().exp())


def test_the_threshold_of_the_samples_comes_back_with_its_gradient() -> None:
    """The loss judges the true pose by it: half of the derivative would be missing."""
    scene = make_scene(2, 12, outliers=0.3).leaves()
    found = EProPnP(CONFIG).monte_carlo(scene.correspondences, init_pose=scene.pose_gt).delta
    expected = EProPnP(CONFIG).delta(scene.correspondences)
    torch.testing.assert_close(found, expected)
    inputs = (scene.points_img, scene.weights)
    for a, b in zip(*(torch.autograd.grad(x.sum(), inputs) for x in (found, expected)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("wanted", [False, True])
def test_the_switch_of_the_compiler_reaches_the_costs(wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, seen = make_scene(2, 12), []

    def spy(problem: Problem, poses: Tensor) -> Tensor:
        seen.append(problem.compiled)
        return torch.zeros(poses.shape[:-1])

    monkeypatch.setattr(layer_module, "sample_cost", spy)
    EProPnP(PnPConfig(compile=wanted)).cost(scene.correspondences, scene.pose_gt)
    assert seen == [wanted]


def test_cameras_of_a_batch_belong_to_their_objects() -> None:
    scene = make_scene(3, 20)
    K = scene.camera.K.clone()
    K[1, 0, 0] *= 1.5
    camera = Camera(K, scene.camera.lower - 900, scene.camera.upper + 900)
    scene = dataclasses.replace(scene, camera=camera)
    both = EProPnP().cost(scene.correspondences, scene.pose_gt)
    for b in range(3):
        one = scene.objects(slice(b, b + 1))
        cost = EProPnP().cost(one.correspondences, one.pose_gt)
        torch.testing.assert_close(both[b : b + 1], cost)
