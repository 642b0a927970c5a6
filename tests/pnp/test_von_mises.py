"""The heading's proposal: its refit and its start against the formulas that it names."""

import math

import numpy as np
import pytest
import torch
from scipy.special import i0e, i1e

from epropnp.pnp.uniforms import random_uniforms
from epropnp.pnp.von_mises import VonMisesMixture


def mixture(loc: list[float], kappa: list[float]) -> VonMisesMixture:
    return VonMisesMixture(torch.tensor(loc).double(), torch.tensor(kappa).double())


@pytest.mark.parametrize("dispersion", [0.0, 0.2])
def test_refit_takes_the_weighted_mean_direction_and_length(dispersion: float) -> None:
    """Banerjee's kappa = R (2 - R^2) / (1 - R^2), with 1 - R widened by half of the dispersion / kappa."""
    generator = torch.Generator().manual_seed(0)
    angles = 2.0 + 0.4 * torch.randn(50, 2, 1, generator=generator, dtype=torch.float64)
    weights = torch.softmax(torch.randn(50, 2, generator=generator, dtype=torch.float64), 0)
    old = mixture([1.5, -0.5], [3.0, 8.0])
    fit = old.refit(angles, weights, dispersion)
    mean = (weights.numpy() * np.exp(1j * angles[..., 0].numpy())).sum(0)
    # The angle to the old direction is added to it, whole turns and all.
    np.testing.assert_allclose(np.exp(1j * fit.loc.numpy()), mean / abs(mean), rtol=1e-12)
    length = abs(mean) - dispersion / (2 * np.array([3.0, 8.0]))
    np.testing.assert_allclose(fit.kappa, length * (2 - length**2) / (1 - length**2), rtol=1e-9)
    if not dispersion:  # and that solves I1 / I0 (kappa) = R to a few percent
        ratio = i1e(fit.kappa.numpy()) / i0e(fit.kappa.numpy())
        np.testing.assert_allclose(1 - ratio, 1 - length, rtol=0.08)


def test_the_first_concentration_is_the_reciprocal_of_the_variance() -> None:
    start = VonMisesMixture.laplace(torch.tensor([[[0.04]], [[1e9]]]).double())
    assert start.kappa.tolist() == [pytest.approx(25.0), 1e-3]  # as good as uniform, and not less
    assert start.loc.tolist() == [0, 0]


def test_densities_of_several_objects_integrate_to_one_and_peak_at_their_own_direction() -> None:
    both = mixture([0.7, -2.0], [2.0, 50.0])
    grid = (torch.arange(4000).double() + 0.5) * 2 * math.pi / 4000 - math.pi
    density = both.log_prob(grid[:, None, None].expand(4000, 2, 1)).exp()
    torch.testing.assert_close(density.sum(0) * 2 * math.pi / 4000, torch.ones(2).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(grid[density.argmax(0)], both.loc, atol=2e-3, rtol=0)
    # a quarter is uniform: that is what is left opposite of a narrow peak
    assert density[:, 1].min().item() == pytest.approx(0.25 / (2 * math.pi))


def test_samples_of_several_objects_gather_about_their_own_direction() -> None:
    both = mixture([0.7, -2.0], [2.0, 50.0])
    uniform = random_uniforms(
        20_000, both.NOISE, torch.zeros(2, 1).double(), torch.Generator().manual_seed(0)
    )
    mean = torch.exp(1j * both.sample(uniform)[..., 0]).mean(0)  # 3/4 of I1 / I0
    expected = 0.75 * i1e([2.0, 50.0]) / i0e([2.0, 50.0]) * np.exp(1j * both.loc.numpy())
    np.testing.assert_allclose(mean.numpy(), expected, atol=0.02)
