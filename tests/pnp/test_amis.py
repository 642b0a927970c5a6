"""Adaptive multiple importance sampling, round by round, against a second one in numpy and scipy."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp, softmax
from scipy.stats import multivariate_t, norm

from epropnp.pnp import EProPnP, PnPConfig
from epropnp.pnp.amis import adaptive_samples
from tests.pnp.scenes import make_scene, plain_cost, problem_of

ROUNDS, COUNT, NOISE, DISPERSION = 3, 24, 10, 0.05  # the dispersion is large, to be seen


@dataclass
class Reference:
    """A proposal of one object: t with 3 degrees of freedom, times angular central Gaussian."""

    loc: np.ndarray  # (3,)
    shape: np.ndarray  # (3, 3)
    spread: np.ndarray  # (4, 4)

    @classmethod
    def laplace(cls, loc: np.ndarray, covariance: np.ndarray) -> "Reference":
        """Half a rotation vector is tangent to the sphere at 1; (I + 4 C^-1)^-1 bounds what is broad."""
        spread = np.eye(4)
        spread[1:, 1:] = np.linalg.inv(np.eye(3) + 4 * np.linalg.inv(covariance[3:, 3:]))
        return cls(loc, covariance[:3, :3], spread)

    def draw(self, uniform: np.ndarray) -> np.ndarray:
        z = norm.ppf(uniform)  # (n, 10)
        mixing = np.sqrt(3 / np.square(z[:, 3:6]).sum(1, keepdims=True))
        t = self.loc + z[:, :3] @ np.linalg.cholesky(self.shape).T * mixing
        q = z[:, 6:] @ np.linalg.cholesky(self.spread).T
        return np.concatenate([t, q / np.linalg.norm(q, axis=1, keepdims=True)], axis=1)

    def log_density(self, y: np.ndarray) -> np.ndarray:
        quadratic = np.einsum("ni,ij,nj->n", y[:, 3:], np.linalg.inv(self.spread), y[:, 3:])
        acg = -np.log(2 * np.pi**2) - np.linalg.slogdet(self.spread)[1] / 2 - 2 * np.log(quadratic)
        return np.asarray(multivariate_t(self.loc, self.shape, df=3).logpdf(y[:, :3]) + acg)

    def refit(self, y: np.ndarray, weights: np.ndarray) -> "Reference":
        """Weighted moments and three rounds of Tyler's iteration, each with a share of the old scale."""
        loc = weights @ y[:, :3]
        gap, q, spread = y[:, :3] - loc, y[:, 3:], np.eye(4)
        for _ in range(3):
            often = weights / np.einsum("ni,ij,nj->n", q, np.linalg.inv(spread), q)
            spread = np.einsum("n,ni,nj->ij", often, q, q)
        widened = spread / np.trace(spread) + DISPERSION * self.spread / np.trace(self.spread)
        shape = np.einsum("n,ni,nj->ij", weights, gap, gap) + DISPERSION * self.shape
        return Reference(loc, shape, widened)


def uniforms(sampler: str, number: int, batch: int, generator: torch.Generator) -> np.ndarray:
    """Of one round, (COUNT, B, NOISE): independent, or Roberts' sequence where the last round left it."""
    if sampler == "random":
        return torch.rand(COUNT, batch, NOISE, generator=generator, dtype=torch.float64).numpy()
    golden = brentq(lambda x: x ** (NOISE + 1) - x - 1, 1, 2, xtol=1e-15)
    index = np.arange(number * COUNT, (number + 1) * COUNT)
    shift = torch.rand(batch, NOISE, generator=generator, dtype=torch.float64).numpy()
    return (index[:, None, None] * golden ** -np.arange(1.0, NOISE + 1) + shift) % 1


@pytest.mark.parametrize("sampler", ["random", "quasi"])
def test_every_round_is_that_of_the_reference(sampler: Literal["random", "quasi"]) -> None:
    """All samples so far, weighted by the mixture of all proposals so far, make the next proposal."""
    scene = make_scene(2, 16, noise_px=3.0, weight=0.3, outliers=0.2)
    delta = EProPnP().delta(scene.correspondences)
    found = EProPnP(PnPConfig(centred=False)).solve(scene.correspondences, init_pose=scene.pose_gt)
    config = PnPConfig(
        amis_iterations=ROUNDS,
        amis_samples=COUNT,
        sampler=sampler,
        dispersion=DISPERSION,
    )
    samples = adaptive_samples(
        problem_of(scene, delta), found.pose, found.covariance, config, torch.Generator().manual_seed(3)
    )
    generator = torch.Generator().manual_seed(3)
    numbers = [uniforms(sampler, k, 2, generator) for k in range(ROUNDS)]
    cost = plain_cost(samples.poses, scene, delta).numpy()
    np.testing.assert_allclose(samples.cost, cost, rtol=1e-9)
    for b in range(2):
        start = found.pose[b].numpy()
        proposals = [Reference.laplace(start[:3], found.covariance[b].numpy())]
        y = np.empty((0, 7))
        for k in range(ROUNDS):
            y = np.concatenate([y, proposals[-1].draw(numbers[k][:, b])])
            mixture = logsumexp([p.log_density(y) for p in proposals], axis=0) - np.log(len(proposals))
            proposals.append(proposals[-1].refit(y, softmax(-cost[: len(y), b] - mixture)))
        np.testing.assert_allclose(samples.poses[:, b, :3], y[:, :3], atol=1e-8)
        turns = Rotation.from_quat(y[:, 3:], scalar_first=True) * _rotation(start[3:])
        np.testing.assert_allclose(
            turns.as_matrix(), _rotation(samples.poses[:, b, 3:]).as_matrix(), atol=1e-8
        )
        np.testing.assert_allclose(samples.log_proposal[:, b], mixture, atol=1e-7)


def test_the_log_evidence_is_the_log_of_the_mean_weight() -> None:
    scene = make_scene(2, 24)
    result = EProPnP(PnPConfig(amis_iterations=3, amis_samples=10)).monte_carlo(scene.correspondences)
    log_weights = result.log_weights.numpy()
    weights = np.exp(log_weights - log_weights.max(0))
    log_mean = np.log(weights.sum(0) / 30) + log_weights.max(0)
    np.testing.assert_allclose(result.log_evidence, log_mean, rtol=1e-12)
    effective = weights.sum(0) ** 2 / np.square(weights).sum(0)  # Kish
    np.testing.assert_allclose(result.ess, effective, rtol=1e-9)


def _rotation(quat: np.ndarray | torch.Tensor) -> Rotation:
    return Rotation.from_quat(np.asarray(quat), scalar_first=True)
