"""Robust cost, adaptive threshold, normal equations and the cost of many samples."""

from dataclasses import replace

import pytest
import torch

from epropnp.pnp import EProPnP, pose, sample_cost
from epropnp.pnp.cost import huber, normal_equations
from tests.pnp.scenes import TURNED_K, Scene, make_scene, perturbed, plain_cost, problem_of

LAYER = EProPnP()


def test_huber_is_quadratic_then_linear() -> None:
    norm = torch.tensor([0.0, 1.0, 2.0, 3.0, 10.0])
    expected = torch.tensor([0.0, 0.5, 2.0, 4.0, 18.0])
    torch.testing.assert_close(huber(norm, torch.tensor(2.0)), expected)


def test_adaptive_delta_is_its_formula() -> None:
    points_img = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [4.0, 6.0]]])  # variances 4 and 12
    scene = make_scene(1, 3, dtype=torch.float32)
    weights = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]], requires_grad=True)  # mean 3.5
    delta = LAYER.delta(replace(scene.correspondences, points_img=points_img, weights=weights))
    assert delta.item() == pytest.approx(0.1 * 3.5 * 4.0)
    delta.backward()
    torch.testing.assert_close(weights.grad, torch.full((1, 3, 2), 0.1 * 4.0 / 6))


@pytest.mark.parametrize("relative", [0.3, 1e3])
def test_gradient_of_the_normal_equations_is_exact(relative: float) -> None:
    scene = make_scene(3, 40, outliers=0.3, K=TURNED_K)
    delta = LAYER.delta(scene.correspondences) * relative
    start = perturbed(scene, 1)[0]  # far enough for some points to leave the box
    found = normal_equations(problem_of(scene, delta), start)

    local = torch.zeros(3, 6, dtype=torch.float64, requires_grad=True)
    cost = plain_cost(pose.retract(start, local)[None], scene, delta)[0]
    (gradient,) = torch.autograd.grad(cost.sum(), local)
    torch.testing.assert_close(found.cost, cost.detach(), atol=1e-8, rtol=1e-12)
    torch.testing.assert_close(found.gradient, gradient, atol=1e-8, rtol=1e-10)


def test_hessian_of_the_normal_equations_is_that_of_gauss_and_newton() -> None:
    scene = make_scene(1, 40, K=TURNED_K)
    start = perturbed(scene, 1, scale=0.01)[0]
    found = normal_equations(problem_of(scene, torch.tensor([1e6]).double()), start)

    def residual(local: torch.Tensor) -> torch.Tensor:
        cam = pose.transform(pose.retract(start[0], local), scene.points_obj[0])
        image = (cam / cam[:, 2:]) @ scene.camera.K[0].T
        return (scene.weights[0] * (image[:, :2] - scene.points_img[0])).flatten()

    jacobian = torch.autograd.functional.jacobian(residual, torch.zeros(6, dtype=torch.float64))
    torch.testing.assert_close(found.hessian[0], jacobian.T @ jacobian, atol=1e-8, rtol=1e-10)


@pytest.mark.parametrize("axis", range(3))
def test_points_beyond_the_threshold_weigh_less_in_the_hessian(axis: int) -> None:
    """By hand: each point adds min(1, delta / s) w^2 (f / Z)^2 along an image axis, with s its error."""
    errors_px, delta = (1.0, 4.0, 16.0), 2.0  # shares 1, 1/2 and 1/8
    scene = make_scene(1, 3, noise_px=0.0)
    shift = torch.tensor([[[e, 0.0] for e in errors_px]], dtype=torch.float64)
    one = torch.ones_like(scene.weights)
    scene = Scene(scene.points_obj, scene.points_img + shift, one, scene.camera, scene.pose_gt)
    found = normal_equations(problem_of(scene, torch.tensor([delta]).double()), scene.pose_gt)
    x, y, z = pose.transform(scene.pose_gt, scene.points_obj)[0].unbind(-1)
    fx, fy = scene.camera.K[0, 0, 0], scene.camera.K[0, 1, 1]
    squares = ((fx / z) ** 2, (fy / z) ** 2, (fx * x / z**2) ** 2 + (fy * y / z**2) ** 2)[axis]
    expected = (torch.tensor([1, 0.5, 0.125]).double() * squares).sum()
    torch.testing.assert_close(found.hessian[0, axis, axis], expected)
    # and the cost of Huber's kernel: 1/2, 2 x 4 - 2 and 2 x 16 - 2
    assert found.cost.item() == pytest.approx(0.5 + 6 + 30)


def test_sample_cost_and_its_gradients_are_those_of_plain_autograd() -> None:
    scene = make_scene(3, 20, outliers=0.2, K=TURNED_K).leaves()
    poses = perturbed(scene, 7, scale=0.3).requires_grad_()  # wide: clamps and both sides of Huber occur
    delta = LAYER.delta(scene.correspondences)
    upstream = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    inputs = (scene.points_obj, scene.points_img, scene.weights, poses)

    found = LAYER.cost(scene.correspondences, poses, delta=delta)
    expected = plain_cost(poses, scene, delta)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-12)
    found_grad = torch.autograd.grad((found * upstream).sum(), inputs, retain_graph=True)
    expected_grad = torch.autograd.grad((expected * upstream).sum(), inputs)
    for a, b in zip(found_grad, expected_grad, strict=True):
        torch.testing.assert_close(a, b, atol=1e-8, rtol=1e-9)


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_gradient_of_the_samples_is_that_of_the_unfused_formula(dtype: torch.dtype, limit: float) -> None:
    """512 importance samples with their weights: what the backward pass of the Monte Carlo loss computes."""
    scene = make_scene(4, 128, outliers=0.1, dtype=dtype).leaves()
    generator = torch.Generator().manual_seed(0)
    result = LAYER.monte_carlo(scene.correspondences, init_pose=scene.pose_gt, generator=generator)
    upstream = torch.softmax(result.log_weights.detach(), dim=0)
    delta = LAYER.delta(scene.correspondences)
    costs = (
        LAYER.cost(scene.correspondences, result.samples, delta=delta),
        plain_cost(result.samples, scene, delta),
    )
    inputs = (scene.points_obj, scene.points_img, scene.weights)
    found, expected = (torch.autograd.grad((upstream * c).sum(), inputs, retain_graph=True) for c in costs)
    for a, b in zip(found, expected, strict=True):
        assert ((a - b).norm() / b.norm()).item() < limit


@pytest.mark.parametrize("relative", [0.3, 1e3])
def test_gradients_agree_with_finite_differences(relative: float) -> None:
    scene = make_scene(2, 12, outliers=0.2, K=TURNED_K).leaves()
    delta = (LAYER.delta(scene.correspondences) * relative).detach().requires_grad_()
    poses = perturbed(scene, 3, scale=0.02).requires_grad_()
    inputs = (poses, scene.points_obj, scene.points_img, scene.weights, delta)

    def evaluate(
        poses: torch.Tensor, obj: torch.Tensor, img: torch.Tensor, weights: torch.Tensor, delta: torch.Tensor
    ) -> torch.Tensor:
        given = replace(scene.correspondences, points_obj=obj, points_img=img, weights=weights)
        return LAYER.cost(given, poses, delta=delta)

    assert torch.autograd.gradcheck(evaluate, inputs, eps=1e-6, atol=1e-5, rtol=1e-6)


def test_chunking_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = make_scene(2, 16).leaves()
    poses = perturbed(scene, 9)

    def run() -> tuple[torch.Tensor, ...]:
        cost = LAYER.cost(scene.correspondences, poses)
        return (cost, *torch.autograd.grad(cost.sum(), (scene.points_obj, scene.weights)))

    whole = run()
    monkeypatch.setattr(sample_cost, "CHUNK_PAIRS_CPU", 4 * 2 * 16)
    for a, b in zip(whole, run(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-10, rtol=1e-12)


def test_antipodal_quaternions_cost_the_same() -> None:
    scene = make_scene(4, 32)
    poses = perturbed(scene, 3)
    flipped = torch.cat((poses[..., :3], -poses[..., 3:]), dim=-1)
    assert torch.equal(LAYER.cost(scene.correspondences, poses), LAYER.cost(scene.correspondences, flipped))


def test_pose_may_have_any_leading_dimensions() -> None:
    scene = make_scene(2, 8)
    poses = perturbed(scene, 6)
    flat = LAYER.cost(scene.correspondences, poses)
    assert LAYER.cost(scene.correspondences, poses[0]).shape == (2,)
    assert torch.equal(LAYER.cost(scene.correspondences, poses.reshape(2, 3, 2, 7)), flat.reshape(2, 3, 2))


def test_zero_residual_and_zero_weight_have_finite_gradients() -> None:
    scene = make_scene(2, 8, noise_px=0.0).leaves()
    cost = LAYER.cost(scene.correspondences, scene.pose_gt)
    zero = torch.zeros_like(scene.weights).requires_grad_()
    shifted = replace(scene.correspondences, points_img=scene.points_img + 1, weights=zero)
    other = LAYER.cost(shifted, scene.pose_gt)
    gradients = torch.autograd.grad((cost + other).sum(), (scene.points_obj, scene.weights, zero))
    assert all(torch.isfinite(g).all() for g in gradients)


def test_autocast_does_not_reach_the_layer() -> None:
    scene = make_scene(2, 64, dtype=torch.float32).leaves()

    def run() -> tuple[torch.Tensor, ...]:
        cost = LAYER.cost(scene.correspondences, scene.pose_gt)
        return (cost, *torch.autograd.grad(cost.sum(), (scene.points_obj, scene.weights)))

    expected = run()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = run()
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        assert torch.equal(a, b)
