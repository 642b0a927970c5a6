"""Kernels, masks, centring and samplers: what each option of the layer changes, and what it leaves alone."""

from dataclasses import replace

import pytest
import torch

from epropnp.pnp import EProPnP, PnPConfig
from epropnp.pnp.uniforms import quasi_uniforms
from tests.pnp.scenes import Scene, make_scene, plain_cost


def spread(scene: Scene, config: PnPConfig, seeds: int = 32) -> torch.Tensor:
    """Standard deviation of the log-evidence over seeds, (B,)."""
    layer, values = EProPnP(config), []
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        result = layer.monte_carlo(scene.correspondences, init_pose=scene.pose_gt, generator=generator)
        values.append(result.log_evidence)
    return torch.stack(values).std(0)


@pytest.mark.slow
def test_quasi_random_samples_lower_the_spread_at_equal_cost() -> None:
    scene = make_scene(6, 96, dtype=torch.float32)
    paper = spread(scene, PnPConfig())
    quasi = spread(scene, PnPConfig(sampler="quasi"))
    fewer_rounds = spread(scene, PnPConfig(sampler="quasi", amis_iterations=2, amis_samples=256))
    assert paper.mean() < 0.06
    assert quasi.mean() < 0.8 * paper.mean()
    assert fewer_rounds.mean() < 0.7 * paper.mean()


def test_quasi_random_numbers_are_uniform_and_even() -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = quasi_uniforms(0, 256, 10, torch.zeros(500, 1, dtype=torch.float64), generator)
    first = uniform[17].flatten()  # one member of the sequence over many shifts
    assert first.mean().item() == pytest.approx(0.5, abs=0.02)
    assert first.var().item() == pytest.approx(1 / 12, abs=0.005)
    # The mean of a plane wave: 1 / sqrt(2 * 256) = 0.044 for independent numbers.
    wave = (2 * torch.pi * (uniform[..., 0] + uniform[..., 7])).cos().mean(0)
    assert wave.square().mean().sqrt().item() < 0.015


def test_centring_rescues_objects_whose_origin_is_elsewhere() -> None:
    scene = make_scene(6, 96, dtype=torch.float32)
    origin = torch.tensor([0.1, 0.05, -0.1])
    shift = EProPnP().space.shift_origin(scene.pose_gt, -origin)
    moved = Scene(scene.points_obj + origin, scene.points_img, scene.weights, scene.camera, shift)
    assert spread(moved, PnPConfig(), 12).mean() < 0.06
    assert spread(moved, PnPConfig(centred=False), 12).mean() > 0.15


def test_centring_changes_neither_solution_nor_covariance() -> None:
    scene = make_scene(4, 64)
    shifted = replace(scene, points_obj=scene.points_obj + 0.2)
    start = EProPnP().space.shift_origin(scene.pose_gt, torch.full((3,), -0.2, dtype=torch.float64))
    found = [
        EProPnP(PnPConfig(centred=centred, lm_epsilon=0.0)).solve(
            shifted.correspondences, init_pose=start, proposals=0, iterations=40
        )
        for centred in (False, True)
    ]
    torch.testing.assert_close(found[0].pose, found[1].pose, atol=1e-8, rtol=0)
    torch.testing.assert_close(found[0].covariance, found[1].covariance, atol=1e-12, rtol=1e-5)


def test_masked_points_count_for_nothing_whatever_they_hold() -> None:
    """Objects of 40 and 24 points in one batch give what they give alone."""
    scene, layer = make_scene(2, 40), EProPnP()
    mask = torch.ones(2, 40, dtype=torch.bool)
    mask[1, 24:] = False
    padded = scene.leaves()
    for values, filler in zip(padded.tensors, (torch.nan, 1e6, torch.inf), strict=True):
        values.data[1, 24:] = filler
    start = scene.pose_gt

    def alone(index: int, count: int) -> tuple[torch.Tensor, ...]:
        one = scene.objects(slice(index, index + 1))
        own = one.each(lambda x: x[:, :count]).leaves()
        solved = layer.solve(own.correspondences, init_pose=own.pose_gt, proposals=0, iterations=20)
        cost = layer.cost(own.correspondences, own.pose_gt)
        return (
            solved.pose[0],
            solved.covariance[0],
            layer.delta(own.correspondences)[0],
            cost[0],
            *(gradient[0] for gradient in torch.autograd.grad(cost.sum(), own.tensors)),
        )

    masked = replace(padded.correspondences, mask=mask)
    solved = layer.solve(masked, init_pose=start, proposals=0, iterations=20)
    delta = layer.delta(masked)
    cost = layer.cost(masked, start)
    gradients = torch.autograd.grad(cost.sum(), padded.tensors)
    for index, count in ((0, 40), (1, 24)):
        found = (solved.pose, solved.covariance, delta, cost, *(g[:, :count] for g in gradients))
        for a, b in zip(found, alone(index, count), strict=True):
            torch.testing.assert_close(a[index], b, atol=1e-9, rtol=1e-9)
    assert all((g[1, 24:] == 0).all() for g in gradients)
    result = layer.monte_carlo(masked, init_pose=start)
    assert torch.isfinite(result.log_evidence).all()
    assert result.solution.valid.all()


def test_kernels() -> None:
    scene = make_scene(3, 40, outliers=0.3)
    given, start = scene.correspondences, scene.pose_gt
    plain = EProPnP(PnPConfig(kernel="none"))
    far = torch.full((3,), 1e9, dtype=torch.float64)
    torch.testing.assert_close(plain.cost(given, start), plain_cost(start[None], scene, far)[0])
    loose = EProPnP(PnPConfig(relative_delta=1e6)).solve(given, init_pose=start, proposals=0)
    torch.testing.assert_close(plain.solve(given, init_pose=start, proposals=0).pose, loose.pose)

    fixed = EProPnP(PnPConfig(kernel="fixed", delta=2.5))
    two = torch.full((3,), 2.5, dtype=torch.float64)
    assert torch.equal(fixed.delta(scene.correspondences), two)
    torch.testing.assert_close(fixed.cost(given, start), plain_cost(start[None], scene, two)[0])
    assert torch.isfinite(plain.monte_carlo(given, init_pose=start).log_evidence).all()


@pytest.mark.parametrize("kernel", ["adaptive", "fixed"])
def test_threshold_can_be_learnt(kernel: str) -> None:
    config = PnPConfig(kernel="adaptive" if kernel == "adaptive" else "fixed", learn_delta=True)
    layer, scene = EProPnP(config).double(), make_scene(3, 40, outliers=0.3)
    result = layer.monte_carlo(scene.correspondences, init_pose=scene.pose_gt)
    loss = layer.cost(scene.correspondences, scene.pose_gt, delta=result.delta) + result.log_evidence
    loss.sum().backward()
    (parameter,) = layer.parameters()
    assert parameter.grad is not None
    assert parameter.grad.abs() > 1e-3
    expected = config.relative_delta if kernel == "adaptive" else config.delta
    assert parameter.exp().item() == pytest.approx(expected)
    assert not list(EProPnP().parameters())
