"""Log-evidence by AMIS: its value, its spread, its gradient and its manners."""

import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from epropnp.pnp import Camera, Correspondences, EProPnP, MonteCarlo, PnPConfig, pose
from epropnp.pnp.amis import adaptive_samples, effective_sample_size, log_evidence
from tests.pnp.scenes import Scene, make_scene, plain_cost, problem_of

LAYER = EProPnP()
NO_KERNEL = 1e4  # relative_delta at which every residual lies in the quadratic part


def sample(scene: Scene, layer: EProPnP = LAYER, seed: int = 0) -> MonteCarlo:
    generator = torch.Generator().manual_seed(seed)
    return layer.monte_carlo(scene.correspondences, init_pose=scene.pose_gt, generator=generator)


def laplace(result: MonteCarlo) -> torch.Tensor:
    """Closed form for a Gaussian posterior, in the measure that `epropnp.pnp.amis` states."""
    log_det = torch.logdet(result.solution.covariance)
    return -result.solution.cost + 3 * math.log(2 * math.pi) + 0.5 * log_det - math.log(4)


def test_sharp_posterior_has_the_log_evidence_of_its_laplace_approximation() -> None:
    # The posterior is about 1 mm and 1e-3 rad wide, so that curvature of the camera model is far below 1 %.
    scene = make_scene(6, 512, noise_px=0.1, weight=10.0)
    layer = EProPnP(PnPConfig(relative_delta=NO_KERNEL, amis_samples=4096))
    result = sample(scene, layer)
    torch.testing.assert_close(result.log_evidence, laplace(result), atol=0.02, rtol=0)


def test_double_precision_and_single_agree_on_a_sharp_posterior() -> None:
    scenes = [make_scene(6, 256, noise_px=0.05, weight=20.0, dtype=d) for d in (torch.float32, torch.float64)]
    config = PnPConfig(amis_samples=1024)
    single, double = (sample(scene, EProPnP(config)) for scene in scenes)
    torch.testing.assert_close(single.log_evidence.double(), double.log_evidence, atol=0.1, rtol=0)
    assert (single.ess > 0.25 * 4096).all()


def brute_force(scene: Scene, result: MonteCarlo, draws: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log Z and its standard error by plain importance sampling in local coordinates, none of AMIS involved.

    One joint t distribution (5 degrees of freedom) over `[dt, omega]`. `u = omega / 2` is the central
    projection of half the sphere, so `dS = du / (1 + |u|^2)^2`, and the other half gives the same again.
    """
    generator = torch.Generator().manual_seed(7)
    dof, dim = 5, 6
    tril = 1.3 * torch.linalg.cholesky(result.solution.covariance)
    normaliser = math.lgamma((dof + dim) / 2) - math.lgamma(dof / 2) - dim / 2 * math.log(dof * math.pi)
    log_det = tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    chunks = []
    for _ in range(draws // 50_000):
        white = torch.randn(50_000, tril.shape[0], dim, generator=generator, dtype=torch.float64)
        chi = (
            torch.randn(50_000, tril.shape[0], dof, generator=generator, dtype=torch.float64).square().sum(-1)
        )
        white *= (dof / chi).sqrt()[..., None]
        local = (tril @ white[..., None]).squeeze(-1)
        log_density = normaliser - log_det - (dof + dim) / 2 * (white.square().sum(-1) / dof).log1p()
        log_measure = math.log(2 / 8) - 2 * (local[..., 3:].square().sum(-1) / 4).log1p()
        cost = LAYER.cost(
            scene.correspondences, pose.retract(result.solution.pose, local), delta=result.delta
        )
        chunks.append(log_measure - cost - log_density)
    log_weights = torch.cat(chunks)
    relative_variance = 1 / effective_sample_size(log_weights) - 1 / log_weights.shape[0]
    return log_evidence(log_weights), relative_variance.sqrt()


@pytest.mark.slow
def test_broad_posterior_has_the_log_evidence_of_brute_force() -> None:
    scene = make_scene(3, 24, noise_px=4.0, weight=0.1)  # turns of some ten degrees: far from Gaussian
    layer = EProPnP(PnPConfig(relative_delta=0.5, amis_samples=1024))
    rounds = [sample(scene, layer, seed) for seed in range(8)]
    estimates = torch.stack([r.log_evidence for r in rounds])
    expected, error = brute_force(scene, rounds[0], 1_000_000)
    combined = (error.square() + estimates.var(0) / 8).sqrt()
    assert (combined < 0.03).all()
    deviation = (estimates.mean(0) - expected).abs() / combined
    assert (deviation < 3).all(), f"{deviation.tolist()} standard errors"
    assert ((laplace(rounds[0]) - expected).abs() > 0.05).any()  # a test that Laplace would not pass


@pytest.mark.slow
@pytest.mark.parametrize(("samples", "limit"), [(128, 0.1), (1024, 0.03)])
def test_spread_over_seeds(samples: int, limit: float) -> None:
    """The reference layer: 0.05 to 0.06 with 4 x 128 samples and 0.02 with 4 x 1024."""
    scene = make_scene(6, 96, dtype=torch.float32)
    layer = EProPnP(PnPConfig(amis_samples=samples))
    values = torch.stack([sample(scene, layer, seed).log_evidence for seed in range(24)])
    assert (values.std(0) < limit).all(), values.std(0).tolist()


def test_weighted_samples_have_the_moments_of_the_posterior() -> None:
    scene = make_scene(4, 256, noise_px=0.3, weight=3.0)
    result = sample(scene, EProPnP(PnPConfig(relative_delta=NO_KERNEL, amis_samples=4096)))
    weights = torch.softmax(result.log_weights, dim=0)[..., None]
    offset = result.samples[..., :3] - result.solution.pose[:, :3]
    relative = pose.quat_multiply(result.samples[..., 3:], pose.quat_conjugate(result.solution.pose[:, 3:]))
    local = torch.cat((offset, 2 * relative[..., 1:] / relative[..., :1]), dim=-1)
    covariance = (weights[..., None] * local[..., None] * local[..., None, :]).sum(0)
    scale = result.solution.covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    normalise = scale[:, :, None] * scale[:, None, :]
    torch.testing.assert_close(
        covariance / normalise, result.solution.covariance / normalise, atol=0.1, rtol=0
    )


def test_equal_weights_count_fully_and_one_weight_counts_once() -> None:
    log_weights = torch.zeros(8, 2)
    log_weights[0, 1] = 100.0
    torch.testing.assert_close(effective_sample_size(log_weights), torch.tensor([8.0, 1.0]))
    torch.testing.assert_close(log_evidence(log_weights), torch.tensor([0.0, 100 - math.log(8)]))


def test_gradient_of_the_log_evidence_passes_gradcheck() -> None:
    scene = make_scene(2, 6, outliers=0.2)
    delta = LAYER.delta(scene.correspondences)
    layer = EProPnP(PnPConfig(amis_samples=8))
    result = sample(scene, layer)
    fixed = adaptive_samples(
        problem_of(scene, delta),
        result.solution.pose,
        result.solution.covariance,
        layer.config,
        torch.Generator().manual_seed(0),
    )

    def evaluate(points_obj: torch.Tensor, points_img: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        given = Scene(points_obj, points_img, weights, scene.camera, scene.pose_gt).correspondences
        cost = layer.cost(given, fixed.poses)
        return log_evidence(-cost - fixed.log_proposal)

    leaves = scene.leaves()
    inputs = (leaves.points_obj, leaves.points_img, leaves.weights)
    assert torch.autograd.gradcheck(evaluate, inputs, eps=1e-7, atol=1e-4, rtol=1e-5)


def test_gradient_of_the_layer_is_that_of_its_frozen_samples() -> None:
    scene = make_scene(3, 32, outliers=0.1).leaves()
    result = sample(scene)
    inputs = (scene.points_obj, scene.points_img, scene.weights)
    found = torch.autograd.grad(result.log_evidence.sum(), inputs)

    delta = LAYER.delta(scene.correspondences)
    cost = plain_cost(result.samples, scene, delta)
    log_proposal = (-result.log_weights - cost).detach()
    expected_value = log_evidence(-cost - log_proposal)
    torch.testing.assert_close(result.log_evidence, expected_value)
    expected = torch.autograd.grad(expected_value.sum(), inputs)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-9)
    assert not result.samples.requires_grad
    assert not result.solution.pose.requires_grad


def test_seed_decides_everything_and_the_global_state_nothing() -> None:
    scene = make_scene(2, 32, dtype=torch.float32)
    before = torch.get_rng_state()
    first, second, other = sample(scene, seed=1), sample(scene, seed=1), sample(scene, seed=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.samples, second.samples)
    assert torch.equal(first.log_evidence, second.log_evidence)
    assert not torch.equal(first.log_evidence, other.log_evidence)


def test_object_of_nan_leaves_values_and_gradients_of_the_others_untouched() -> None:
    scene = make_scene(4, 32, dtype=torch.float32)
    keep = torch.tensor([0, 2, 3])

    def run(points_obj: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        leaves = Scene(points_obj, scene.points_img, scene.weights, scene.camera, scene.pose_gt).leaves()
        result = sample(leaves)
        (gradient,) = torch.autograd.grad(result.log_evidence[keep].sum(), leaves.weights)
        return result.log_evidence, gradient[keep]

    broken = scene.points_obj.clone()
    broken[1] = torch.nan
    expected, found = run(scene.points_obj), run(broken)
    assert torch.equal(found[0][keep], expected[0][keep])
    assert torch.equal(found[1], expected[1])
    assert found[0][1].isnan()


def test_hopeless_correspondences_stay_finite() -> None:
    scene = make_scene(3, 64, dtype=torch.float32)
    weights = scene.weights.clone()
    weights[0] = 0  # nothing known
    weights[1] *= 1e4  # far too sure
    points_obj = scene.points_obj.clone()
    points_obj[2] = 0  # one point only
    hopeless = Scene(points_obj, scene.points_img, weights, scene.camera, scene.pose_gt).leaves()
    result = sample(hopeless)
    assert torch.isfinite(result.log_evidence).all()
    gradients = torch.autograd.grad(result.log_evidence.sum(), (hopeless.points_obj, hopeless.weights))
    assert all(torch.isfinite(g).all() for g in gradients)


@pytest.mark.slow
def test_nothing_waits_for_the_device() -> None:
    """Fake tensors have no values: any `.item()`, branch or boolean mask on one would raise."""
    with FakeTensorMode():
        K = torch.eye(3).expand(2, 3, 3)
        camera = Camera(K, torch.zeros(2, 2), torch.ones(2, 2))
        weights = torch.ones(2, 32, 2, requires_grad=True)
        points_obj = torch.ones(2, 32, 3, requires_grad=True)
        points_img = torch.ones(2, 32, 2)
        given = Correspondences(points_obj=points_obj, points_img=points_img, weights=weights, camera=camera)
        result = LAYER.monte_carlo(given)
        result.log_evidence.sum().backward()
        fast = LAYER.solve(given, fast=True)
        LAYER.gauss_newton_step(given, fast.pose).sum().backward()
    assert result.samples.shape == (512, 2, 7)
    assert result.log_weights.shape == (512, 2)
    assert result.ess.shape == result.delta.shape == (2,)
