"""Densities integrate to one, samplers follow their densities, fits recover their parameters."""

import math

import numpy as np
import pytest
import scipy.stats
import torch

from epropnp.pnp.distributions import AngularCentralGaussian, MultivariateT
from epropnp.pnp.uniforms import random_uniforms


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(distribution: MultivariateT | AngularCentralGaussian, count: int, seed: int = 0) -> torch.Tensor:
    uniform = random_uniforms(count, distribution.NOISE, distribution.scale_tril[..., 0], generator(seed))
    return distribution.sample(uniform)


def random_tril(size: int, seed: int = 0, scale: tuple[float, ...] | None = None) -> torch.Tensor:
    factor = torch.randn(1, size, size, generator=generator(seed), dtype=torch.float64).tril()
    factor.diagonal(dim1=-2, dim2=-1).abs_().add_(0.5)
    return factor if scale is None else torch.tensor(scale, dtype=torch.float64)[:, None] * factor


def sphere_quadrature(nodes: int = 56) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (n, 4) on S^3 and weights (n,) that sum to 2 pi^2: Gauss-Legendre in three angles."""
    x, w = np.polynomial.legendre.leggauss(nodes)
    psi, w_psi = (x + 1) * math.pi / 2, w * math.pi / 2
    phi, w_phi = (x + 1) * math.pi, w * math.pi
    a, b, c = np.meshgrid(psi, psi, phi, indexing="ij")
    points = np.stack(
        (
            np.cos(a),
            np.sin(a) * np.cos(b),
            np.sin(a) * np.sin(b) * np.cos(c),
            np.sin(a) * np.sin(b) * np.sin(c),
        ),
        -1,
    )
    weights = np.einsum("i,j,k->ijk", w_psi, w_psi, w_phi) * np.sin(a) ** 2 * np.sin(b)
    return torch.from_numpy(points.reshape(-1, 4)), torch.from_numpy(weights.ravel())


def test_t_density_is_that_of_scipy() -> None:
    loc, tril = torch.tensor([[0.1, -0.2, 0.8]], dtype=torch.float64), random_tril(3)
    values = torch.randn(50, 1, 3, generator=generator(), dtype=torch.float64) * 3
    reference = scipy.stats.multivariate_t(loc[0].numpy(), (tril @ tril.mT)[0].numpy(), df=3)
    found = MultivariateT(loc, tril).log_prob(values)[:, 0]
    np.testing.assert_allclose(found.numpy(), reference.logpdf(values[:, 0].numpy()), atol=1e-10)


def test_t_density_integrates_to_one() -> None:
    tril = random_tril(3)
    x, w = np.polynomial.legendre.leggauss(80)
    node, weight = np.tan(x * math.pi / 2), w * math.pi / 2 * (1 + np.tan(x * math.pi / 2) ** 2)
    grid = torch.from_numpy(np.stack(np.meshgrid(node, node, node, indexing="ij"), -1).reshape(-1, 1, 3))
    volume = torch.from_numpy(np.einsum("i,j,k->ijk", weight, weight, weight).ravel())
    density = MultivariateT(torch.zeros(1, 3).double(), tril).log_prob(grid)[:, 0].exp()
    assert (density * volume).sum().item() == pytest.approx(1.0, abs=2e-3)


def test_t_samples_follow_the_density() -> None:
    loc, tril = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64), random_tril(3)
    values = draw(MultivariateT(loc, tril), 20000)
    white = torch.linalg.solve_triangular(tril, (values - loc).mT[:, None].squeeze(1), upper=False).squeeze(
        -1
    )
    statistic = white.square().sum(-1) / 3  # F(3, 3) for a t of three dimensions and degrees of freedom
    assert scipy.stats.kstest(statistic.numpy(), scipy.stats.f(3, 3).cdf).pvalue > 0.01
    direction = white / white.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(direction.mean(0), torch.zeros(3).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(direction.mT @ direction / 20000, torch.eye(3).double() / 3, atol=0.02, rtol=0)


def test_t_refit_takes_weighted_moments() -> None:
    values = torch.randn(4000, 2, 3, generator=generator(), dtype=torch.float64)
    weights = torch.softmax(values[..., 0], dim=0)  # tilts a standard normal by exp(x): mean 1 along x
    start = MultivariateT(torch.zeros(2, 3).double(), torch.eye(3).double().expand(2, 3, 3))
    fit = start.refit(values, weights, 0.0)
    expected = torch.tensor([1.0, 0.0, 0.0]).double().expand(2, 3)
    torch.testing.assert_close(fit.loc, expected, atol=0.12, rtol=0)
    torch.testing.assert_close(fit.scale_tril @ fit.scale_tril.mT, start.scale_tril, atol=0.25, rtol=0)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_acg_density_integrates_to_one_over_the_whole_sphere(seed: int) -> None:
    points, area = sphere_quadrature()
    assert area.sum().item() == pytest.approx(2 * math.pi**2, rel=1e-12)
    tilt = torch.randn(1, 4, 4, generator=generator(seed), dtype=torch.float64).tril(-1)
    tril = 0.4 * tilt + torch.diag(torch.tensor([1.0, 0.6, 0.7, 0.8]))
    density = AngularCentralGaussian(tril).log_prob(points[:, None])
    assert (density[:, 0].exp() * area).sum().item() == pytest.approx(1.0, abs=1e-6)


def test_acg_density_ignores_sign_and_scale() -> None:
    tril = random_tril(4)
    quats = draw(AngularCentralGaussian(tril), 20)
    expected = AngularCentralGaussian(tril).log_prob(quats)
    torch.testing.assert_close(AngularCentralGaussian(7 * tril).log_prob(-quats), expected)


def test_acg_samples_follow_the_density() -> None:
    tril = random_tril(4, 1, (1.0, 0.5, 0.5, 0.7))
    distribution = AngularCentralGaussian(tril)
    samples = draw(distribution, 40000)[:, 0]
    torch.testing.assert_close(samples.norm(dim=-1), torch.ones(40000).double())
    points, area = sphere_quadrature()
    mass = distribution.log_prob(points[:, None])[:, 0].exp() * area
    expected = torch.einsum("n,ni,nj->ij", mass, points, points)
    torch.testing.assert_close(samples.mT @ samples / 40000, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("weighted", [False, True])
def test_acg_refit_recovers_the_parameters(weighted: bool) -> None:
    truth = AngularCentralGaussian(random_tril(4, 3, (1.0, 0.5, 0.5, 0.7)))
    uniform = AngularCentralGaussian(torch.eye(4).double()[None])
    samples = draw(uniform if weighted else truth, 60000)
    log_weights = truth.log_prob(samples) if weighted else torch.zeros(60000, 1).double()
    fit = uniform.refit(samples, torch.softmax(log_weights, dim=0), 0.0, iterations=30)
    torch.testing.assert_close(fit._normalised(), truth._normalised(), atol=0.01, rtol=0)


def test_refits_of_a_single_point_fall_back_to_a_usable_scale() -> None:
    weights = torch.zeros(64, 1)
    weights[3] = 1
    rotation = AngularCentralGaussian(torch.eye(4)[None] * torch.tensor([1.0, 1e-2, 1e-2, 1e-2]))
    translation = MultivariateT(torch.zeros(1, 3), 1e-2 * torch.eye(3)[None])
    quats, values = draw(rotation, 64), draw(translation, 64)
    for log_prob in (
        rotation.refit(quats, weights, 1e-3).log_prob(quats),
        translation.refit(values, weights, 1e-3).log_prob(values),
    ):
        assert torch.isfinite(log_prob).all()


@pytest.mark.parametrize("sigma", [1e-1, 1e-2, 1e-3, 1e-4])
def test_narrow_rotations_keep_their_width_in_float32(sigma: float) -> None:
    tril = torch.diag(torch.tensor([1.0, sigma, 2 * sigma, sigma / 2]))[None]
    start = AngularCentralGaussian(tril)
    samples = draw(start, 20000)
    fit = start.refit(samples, torch.full((20000, 1), 1 / 20000), 0.0, iterations=30)
    covariance = fit.scale_tril @ fit.scale_tril.mT
    ratio = (
        covariance.diagonal(dim1=-2, dim2=-1)
        / covariance[:, :1, 0]
        / tril.diagonal(dim1=-2, dim2=-1).square()
    )
    torch.testing.assert_close(ratio, torch.ones(1, 4), atol=0.1, rtol=0)
