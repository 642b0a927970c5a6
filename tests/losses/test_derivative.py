"""Derivative regularisation: the terms, and that the step differentiates like the solution."""

import math
from dataclasses import replace

import pytest
import torch

from epropnp.losses.derivative import DerivativeLoss
from epropnp.pnp import EProPnP, PnPConfig, pose
from tests.pnp.scenes import Scene, make_scene

LAYER = EProPnP(PnPConfig(relative_delta=1e4))


def pose_at(x: float, angle: float) -> torch.Tensor:
    return torch.tensor(
        [[x, 0.0, 1.0, math.cos(angle / 2), math.sin(angle / 2), 0.0, 0.0]], dtype=torch.float64
    )


@pytest.mark.parametrize(
    ("offset_m", "angle", "translation", "rotation"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.02, 0.0, 0.02**2 / 2 / 0.05, 0.0),  # quadratic below beta
        (0.15, 0.0, 0.15 - 0.025, 0.0),  # linear above
        (0.0, math.pi / 2, 0.0, 1.0),
        (0.0, math.pi, 0.0, 2.0),
    ],
)
def test_terms(offset_m: float, angle: float, translation: float, rotation: float) -> None:
    terms = DerivativeLoss()(pose_at(offset_m, angle), pose_at(0.0, 0.0))
    assert terms.translation.item() == pytest.approx(translation, abs=1e-12)
    assert terms.rotation.item() == pytest.approx(rotation, abs=1e-12)


def test_sign_of_the_quaternion_does_not_matter() -> None:
    flipped = pose_at(0.0, 0.3) * torch.tensor([1.0, 1, 1, -1, -1, -1, -1])
    loss = DerivativeLoss()
    torch.testing.assert_close(loss(flipped, pose_at(0.0, 0.0)), loss(pose_at(0.0, 0.3), pose_at(0.0, 0.0)))


def solve(points_obj: torch.Tensor, scene: Scene) -> torch.Tensor:
    given = replace(scene, points_obj=points_obj).correspondences
    return LAYER.solve(given, init_pose=scene.pose_gt, proposals=0, iterations=30, fast=True).pose


def test_step_from_the_solution_differentiates_like_the_solution() -> None:
    scene = make_scene(3, 32, noise_px=0.0).leaves()
    solution = solve(scene.points_obj.detach(), scene)
    step = LAYER.gauss_newton_step(scene.correspondences, solution)
    torch.testing.assert_close(step.detach(), solution, atol=1e-9, rtol=0)

    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(scene.points_obj.shape, generator=generator, dtype=torch.float64)
    probe = torch.randn(3, 7, generator=generator, dtype=torch.float64)
    probe[:, 3:] -= (probe[:, 3:] * solution[:, 3:]).sum(-1, keepdim=True) * solution[:, 3:]
    (gradient,) = torch.autograd.grad((step * probe).sum(), scene.points_obj)
    size = 1e-7
    ahead, behind = (solve(scene.points_obj.detach() + s * direction, scene) for s in (size, -size))
    expected = ((ahead - behind) * probe).sum() / (2 * size)
    assert (gradient * direction).sum().item() == pytest.approx(expected.item(), rel=1e-5)


def test_gradients_reach_points_and_weights_and_are_finite() -> None:
    scene = make_scene(3, 64, noise_px=2.0, outliers=0.2, dtype=torch.float32).leaves()
    layer = EProPnP()
    solution = layer.solve(scene.correspondences, init_pose=scene.pose_gt)
    assert not solution.pose.requires_grad
    step = layer.gauss_newton_step(scene.correspondences, solution.pose)
    terms = DerivativeLoss()(step, scene.pose_gt)
    gradients = torch.autograd.grad(terms.translation + terms.rotation, (scene.points_obj, scene.weights))
    assert all(torch.isfinite(g).all() and g.abs().max() > 0 for g in gradients)


def test_descending_the_terms_moves_the_solution_to_the_truth() -> None:
    scene = make_scene(2, 32, noise_px=0.0)
    generator = torch.Generator().manual_seed(0)
    shift = 0.003 * torch.randn(2, 1, 3, generator=generator, dtype=torch.float64)
    points_obj = (scene.points_obj + shift).requires_grad_()
    given = replace(scene, points_obj=points_obj).correspondences

    def error() -> torch.Tensor:
        found = solve(points_obj.detach(), scene)
        return (found[:, :3] - scene.pose_gt[:, :3]).norm(dim=-1) + pose.rotation_angle(
            found[:, 3:], scene.pose_gt[:, 3:]
        )

    before = error()
    for _ in range(10):
        step = LAYER.gauss_newton_step(given, solve(points_obj.detach(), scene))
        terms = DerivativeLoss()(step, scene.pose_gt)
        (gradient,) = torch.autograd.grad(terms.translation + terms.rotation, points_obj)
        with torch.no_grad():
            points_obj -= 0.003 * gradient
    assert (error() < 0.8 * before).all()
