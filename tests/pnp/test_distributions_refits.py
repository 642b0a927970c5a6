"""Refits of the proposals: weighted moments and Tyler's iteration by plain numpy, with their dispersion."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_t

from epropnp.pnp.distributions import AngularCentralGaussian, MultivariateT


def normals(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def factor(size: int) -> torch.Tensor:
    """Of two objects."""
    root = normals(2, size, size, seed=4)
    return torch.linalg.cholesky(root @ root.mT + 0.1 * torch.eye(size).double())


@pytest.mark.parametrize("dispersion", [0.0, 0.5])
def test_location_and_scale_are_the_weighted_moments(dispersion: float) -> None:
    values, weights = normals(30, 2, 3), torch.softmax(normals(30, 2, seed=1), 0)
    old = MultivariateT(normals(2, 3, seed=2), factor(3))
    fit = old.refit(values, weights, dispersion)
    for b in range(2):
        share, x = weights[:, b].numpy(), values[:, b].numpy()
        expected = np.cov(x.T, aweights=share, bias=True)
        expected = expected + dispersion * (old.scale_tril[b] @ old.scale_tril[b].mT).numpy()
        np.testing.assert_allclose(fit.loc[b], np.average(x, axis=0, weights=share), rtol=1e-12)
        np.testing.assert_allclose(fit.scale_tril[b] @ fit.scale_tril[b].mT, expected, rtol=1e-9)


def test_the_density_is_that_of_scipy() -> None:
    t = MultivariateT(normals(2, 3, seed=2), factor(3))
    values = 3 * normals(20, 2, 3)
    for b in range(2):
        shape = (t.scale_tril[b] @ t.scale_tril[b].mT).numpy()
        expected = multivariate_t(t.loc[b].numpy(), shape, df=3).logpdf(values[:, b].numpy())
        np.testing.assert_allclose(t.log_prob(values)[:, b], expected, rtol=1e-9)


@pytest.mark.parametrize("dispersion", [0.0, 0.5])
def test_rotations_take_three_rounds_of_tylers_iteration(dispersion: float) -> None:
    quats = torch.nn.functional.normalize(normals(40, 2, 4) * torch.tensor([3.0, 1, 1, 0.5]), dim=-1)
    weights = torch.softmax(normals(40, 2, seed=1), 0)
    old = AngularCentralGaussian(factor(4))
    fit = old.refit(quats, weights, dispersion)
    for b in range(2):
        q, matrix = quats[:, b].numpy(), np.eye(4)
        for _ in range(3):
            share = weights[:, b].numpy() / np.einsum("ni,ij,nj->n", q, np.linalg.inv(matrix), q)
            matrix = 4 * np.einsum("n,ni,nj->ij", share, q, q)
        before = (old.scale_tril[b] @ old.scale_tril[b].mT).numpy()
        expected = matrix / np.trace(matrix) + dispersion * before / np.trace(before)
        found = (fit.scale_tril[b] @ fit.scale_tril[b].mT).numpy()
        np.testing.assert_allclose(found / np.trace(found), expected / np.trace(expected), rtol=1e-9)


def test_the_first_rotation_has_the_covariance_of_half_the_rotation_vector_where_it_is_narrow() -> None:
    """And never more than the unit matrix, which is the uniform distribution."""
    root = 1e-3 * factor(3)
    narrow = AngularCentralGaussian.laplace(root @ root.mT).scale_tril
    torch.testing.assert_close((narrow @ narrow.mT)[:, 1:, 1:], root @ root.mT / 4, rtol=1e-4, atol=0)
    assert (narrow[:, 0] == torch.tensor([1.0, 0, 0, 0])).all()
    broad = AngularCentralGaussian.laplace(4 * torch.eye(3).double()[None]).scale_tril
    torch.testing.assert_close((broad @ broad.mT)[0], torch.diag(torch.tensor([1, 0.5, 0.5, 0.5]).double()))
    uniform = AngularCentralGaussian.laplace(1e12 * torch.eye(3).double()[None])
    density = uniform.log_prob(torch.nn.functional.normalize(normals(5, 1, 4), dim=-1))
    torch.testing.assert_close(density, torch.full((5, 1), -math.log(2 * math.pi**2)).double())
