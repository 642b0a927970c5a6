"""The Monte Carlo pose loss: value, running norm, and where it pulls the weights."""

from dataclasses import replace

import pytest
import torch

from epropnp.losses.monte_carlo import MonteCarloPoseLoss
from epropnp.pnp import EProPnP, PnPConfig
from tests.pnp.scenes import Scene, make_scene

LAYER = EProPnP(PnPConfig(relative_delta=1.0))


def loss_of(scene: Scene, weights: torch.Tensor) -> torch.Tensor:
    given = replace(scene, weights=weights).correspondences
    generator = torch.Generator().manual_seed(0)
    result = LAYER.monte_carlo(given, init_pose=scene.pose_gt, generator=generator)
    cost = LAYER.cost(given, scene.pose_gt, delta=result.delta)
    return MonteCarloPoseLoss()(cost, result.log_evidence, torch.ones(()))


def test_value_is_the_mean_over_the_batch_divided_by_the_norm() -> None:
    loss = MonteCarloPoseLoss(initial_norm_factor=4.0).eval()
    value = loss(torch.tensor([1.0, 3.0]), torch.tensor([-2.0, 6.0]), torch.ones(()))
    assert value.item() == pytest.approx((1 + 3 - 2 + 6) / 2 / 4)


def test_norm_follows_the_weight_scale_in_training_only() -> None:
    loss = MonteCarloPoseLoss()
    terms = torch.zeros(2), torch.zeros(2)
    scale = torch.tensor([[2.0, 4.0], [6.0, 8.0]], requires_grad=True)  # mean 5
    loss(*terms, scale)
    assert loss.norm_factor.item() == pytest.approx(0.99 * 1 + 0.01 * 5)
    loss(*terms, scale)
    assert loss.norm_factor.item() == pytest.approx(0.99 * 1.04 + 0.05)
    loss.eval()
    loss(*terms, scale)
    assert loss.norm_factor.item() == pytest.approx(0.99 * 1.04 + 0.05)
    assert not loss.norm_factor.requires_grad


def test_norm_is_part_of_the_checkpoint() -> None:
    loss = MonteCarloPoseLoss()
    loss(torch.zeros(1), torch.zeros(1), torch.tensor(11.0))
    restored = MonteCarloPoseLoss()
    restored.load_state_dict(loss.state_dict())
    assert restored.norm_factor.item() == pytest.approx(1.1)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected equal shapes, got \(2,\) and \(3,\)"):
        MonteCarloPoseLoss()(torch.zeros(2), torch.zeros(3), torch.ones(()))


@pytest.mark.parametrize(("factor", "sign"), [(0.1, -1), (10.0, 1)])
def test_weights_are_pulled_towards_the_true_noise(factor: float, sign: int) -> None:
    noise_px = 2.0
    scene = make_scene(16, 64, noise_px=noise_px, weight=1 / noise_px)
    log_scale = torch.tensor(factor, dtype=torch.float64).log().requires_grad_()
    loss_of(scene, scene.weights * log_scale.exp()).backward()
    assert log_scale.grad is not None
    assert log_scale.grad.sign().item() == sign


def test_weight_of_an_outlier_is_pulled_down_and_the_others_are_not() -> None:
    scene = make_scene(16, 64, noise_px=1.0, weight=0.5)
    points_img = scene.points_img.clone()
    points_img[:, 0] += 30.0
    weights = torch.full_like(scene.weights, 0.5).requires_grad_()
    outlier = Scene(scene.points_obj, points_img, scene.weights, scene.camera, scene.pose_gt)
    (gradient,) = torch.autograd.grad(loss_of(outlier, weights), weights)
    assert gradient[:, 0].mean() > 0
    assert gradient[:, 1:].mean() < 0
    assert (gradient[:, 0].sum(-1) > 0).double().mean() >= 0.9
    assert gradient[:, 0].mean() > 10 * gradient[:, 1:].mean().abs()


def test_descending_the_loss_brings_object_points_to_the_true_ones() -> None:
    scene = make_scene(4, 64, noise_px=0.0, weight=0.3)
    generator = torch.Generator().manual_seed(1)
    noise = torch.randn(scene.points_obj.shape, generator=generator, dtype=torch.float64)
    points_obj = (scene.points_obj + 0.002 * noise).requires_grad_()

    def loss() -> torch.Tensor:
        moved = Scene(points_obj, scene.points_img, scene.weights, scene.camera, scene.pose_gt)
        return loss_of(moved, scene.weights)

    before = loss()
    (gradient,) = torch.autograd.grad(before, points_obj)
    with torch.no_grad():
        points_obj -= 1e-5 * gradient / gradient.abs().max() * 100
    assert loss() < before
