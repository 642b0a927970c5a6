"""Temperatures are found where they are known, and leave the poses alone."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_t

from epropnp.evaluation.posterior import PosteriorSampler
from epropnp.evaluation.temperature import (
    Draws,
    Temperature,
    Temperatures,
    covariance_temperature,
    posterior_temperature,
)
from epropnp.pnp import EProPnP
from tests.evaluation.drawn import Drawn, draw, solve, squared_distance

LEVELS = np.array([0.5, 0.8, 0.95])


def fitted(drawn: Drawn, factor: float) -> Temperatures:
    solution = solve(drawn, factor)
    first = Temperatures(covariance=covariance_temperature(squared_distance(drawn, solution)))
    draws = PosteriorSampler(drawn.layer, 256, first).draw(
        *drawn.weighted(factor), pose=solution.pose, truths=drawn.truth[None]
    )
    return Temperatures(covariance=first.covariance, posterior=posterior_temperature(draws))


def coverage(drawn: Drawn, factor: float, temperatures: Temperatures | None) -> np.ndarray:
    pose = solve(drawn, factor).pose
    sampler = PosteriorSampler(drawn.layer, 256, temperatures)
    draws = sampler.draw(*drawn.weighted(factor), pose=pose, truths=drawn.truth[None])
    level = sampler.describe(draws)["credible_level"].numpy()
    return (level[:, None] <= LEVELS).mean(0)


def test_a_quadratic_cost_becomes_a_t_distribution() -> None:
    x = np.random.default_rng(0).normal(size=(5, 6))
    temperature = Temperature(scale=2.0, tail=0.2)
    energy = temperature.energy(torch.from_numpy(np.square(x).sum(1) / 2)) + temperature.log_volume
    t = multivariate_t(shape=np.eye(6) / 4, df=5)
    np.testing.assert_allclose(energy, -t.logpdf(x), rtol=1e-12)
    assert temperature.covariance_factor == pytest.approx(5 / 3 / 4)  # df / (df - 2) x shape
    assert Temperature().log_volume == pytest.approx(3 * math.log(2 * math.pi))


def test_a_vanishing_tail_is_none() -> None:
    excess = torch.linspace(-2, 100, 50, dtype=torch.float64)
    almost, plain = Temperature(scale=1.5, tail=1e-10), Temperature(scale=1.5)
    torch.testing.assert_close(almost.energy(excess), plain.energy(excess), rtol=1e-6, atol=0)
    assert almost.log_volume == pytest.approx(plain.log_volume)
    torch.testing.assert_close(Temperature(tail=0.3).energy(excess[:1]), excess[:1])  # below the minimum


def test_covariances_of_known_scale_and_tail() -> None:
    x = multivariate_t(shape=np.eye(6) / 4, df=5).rvs(4000, random_state=0)
    found = covariance_temperature(np.append(np.square(x).sum(1), np.inf))  # half a turn is left out
    assert found.scale == pytest.approx(2, rel=0.03)
    assert found.tail == pytest.approx(0.2, abs=0.02)


@pytest.mark.parametrize("factor", [1 / 3, 2.0])
def test_wrong_weights_are_found_and_corrected_on_other_images(factor: float) -> None:
    temperatures = fitted(draw(300), factor)
    for found in (temperatures.posterior, temperatures.covariance):
        assert found.scale * factor == pytest.approx(1, rel=0.05)
        assert found.tail < 0.03
    others = draw(600, seed=1)
    error = 3 * np.sqrt(LEVELS * (1 - LEVELS) / 600)
    assert (abs(coverage(others, factor, temperatures) - LEVELS) < error).all()
    assert (abs(coverage(others, factor, None) - LEVELS) > error).all()


def test_an_adaptive_kernel_keeps_its_poses_at_any_scale() -> None:
    drawn = draw(50)
    adaptive = Drawn(EProPnP(), drawn.given, drawn.truth)
    plain, scaled = solve(adaptive), solve(adaptive, 1.5)
    torch.testing.assert_close(scaled.pose, plain.pose, atol=5e-4, rtol=0)
    torch.testing.assert_close(scaled.cost, 1.5**2 * plain.cost, rtol=1e-4, atol=0)


def test_one_image_changes_less_than_it_says_and_none_nothing() -> None:
    one = covariance_temperature(np.array([24.0]))  # twice as far as expected
    assert 0.55 < one.scale < 1
    nothing = torch.full((8, 2), torch.nan)
    draws = Draws(nothing[0], nothing, nothing, nothing[0])
    for found in (covariance_temperature(np.array([np.nan])), posterior_temperature(draws)):
        assert found.scale == pytest.approx(1, abs=1e-5)
        assert found.tail == 0


def test_shares_of_hypotheses_follow_scale_and_tail() -> None:
    """Two quadratic costs of equal spread, 5 apart; the third is none."""
    cost = torch.tensor([[1.0], [6.0], [torch.nan]])
    log_mass = torch.tensor([[-1.0], [-6.0], [-torch.inf]])
    for temperature, ratio in (
        (Temperature(), math.exp(-5)),
        (Temperature(scale=0.5), math.exp(-1.25)),
        (Temperature(tail=0.3), (1 + 2 * 0.3 * 5) ** (-1 / 0.6)),
    ):
        first, second, third = temperature.shares(cost, log_mass).ravel().tolist()
        assert second / first == pytest.approx(ratio, rel=1e-5)
        assert first + second == pytest.approx(1)
        assert third == 0
