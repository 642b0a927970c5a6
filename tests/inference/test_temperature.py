"""Temperatures are found where they are known, and leave the poses alone."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize
from scipy.stats import multivariate_t

from epropnp.inference.posterior import PosteriorSampler
from epropnp.inference.temperature import (
    Draws,
    Temperature,
    Temperatures,
    covariance_temperature,
    posterior_temperature,
)
from epropnp.pnp import EProPnP
from tests.evaluation.drawn_correspondences import Drawn, draw, solve, squared_distance

LEVELS = np.array([0.5, 0.8, 0.95])


def fitted(drawn: Drawn, factor: float) -> Temperatures:
    solution = solve(drawn, factor)
    first = Temperatures(covariance=covariance_temperature(squared_distance(drawn, solution)))
    draws = PosteriorSampler(drawn.layer, 256, first).draw(
        drawn.weighted(factor), pose=solution.pose, truths=drawn.truth[None]
    )
    return Temperatures(covariance=first.covariance, posterior=posterior_temperature(draws))


def coverage(drawn: Drawn, factor: float, temperatures: Temperatures | None) -> np.ndarray:
    pose = solve(drawn, factor).pose
    sampler = PosteriorSampler(drawn.layer, 256, temperatures)
    draws = sampler.draw(drawn.weighted(factor), pose=pose, truths=drawn.truth[None])
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


@pytest.mark.slow
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


def prior(log_scale: float, tail: float) -> float:
    """Log-normal of standard deviation 0.5, exponential of mean 0.1."""
    return (log_scale / 0.5) ** 2 / 2 + tail / 0.1


def lowest(cost: Callable[[float, float], float]) -> tuple[float, float]:
    """Scale and tail by search over a grid, within the limits: e^4 and 0.4."""
    grid = optimize.brute(lambda x: cost(*x), ((-1.5, 1.5), (0.002, 0.4)), Ns=25, finish=None, workers=1)
    found = optimize.minimize(
        lambda x: cost(x[0], abs(x[1])), grid, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}
    )
    return math.exp(found.x[0]), abs(found.x[1])


@pytest.mark.parametrize("squared", [[24.0], [2.0, 5.0, 40.0, 90.0], [1.0, 1.5, 0.5, 2.0, 1.0]])
def test_few_covariances_against_the_density_of_scipy_and_the_priors(squared: list[float]) -> None:
    rows = np.zeros((len(squared), 6))
    rows[:, 0] = np.sqrt(squared)

    def cost(log_scale: float, tail: float) -> float:
        t = multivariate_t(shape=np.eye(6) * math.exp(-2 * log_scale), df=1 / tail)
        return float(-np.sum(t.logpdf(rows))) + prior(log_scale, tail)

    found, expected = covariance_temperature(np.array(squared)), lowest(cost)
    assert found.scale == pytest.approx(expected[0], rel=2e-3)
    assert found.tail == pytest.approx(expected[1], abs=2e-3)


def test_few_posteriors_by_samples_against_their_definition() -> None:
    """-log p(truth) of two objects, and an object without numbers, which has no part in it."""
    rng = np.random.default_rng(0)
    excess, log_proposal = rng.gamma(3, size=(40, 3)), rng.normal(size=(40, 3))
    excess_true = np.array([9.0, 30.0, np.nan])

    def energy(value: np.ndarray, log_scale: float, tail: float) -> np.ndarray:
        return (1 / tail + 6) / 2 * np.log1p(2 * tail * math.exp(2 * log_scale) * value)

    def cost(log_scale: float, tail: float) -> float:
        weights = np.exp(-energy(excess[:, :2], log_scale, tail) - log_proposal[:, :2])
        total = energy(excess_true[:2], log_scale, tail) + np.log(weights.mean(0))
        return float(total.sum()) + prior(log_scale, tail)

    draws = Draws(*(torch.from_numpy(x) for x in (np.ones(3), excess, log_proposal, excess_true)))
    found, expected = posterior_temperature(draws), lowest(cost)
    assert found.scale == pytest.approx(expected[0], rel=2e-3)
    assert found.tail == pytest.approx(expected[1], abs=2e-3)


def test_shares_weigh_the_volume_of_each_hypothesis() -> None:
    """By hand: volumes 1 and e^2, costs 2 and 3; a scale of 1/2 makes a quarter of the gap."""
    cost, log_mass = torch.tensor([[2.0], [3.0]]), torch.tensor([[-2.0], [2.0 - 3.0]])
    for scale, gap in ((1.0, 2 - 1), (0.5, 2 - 0.25), (2.0, 2 - 4)):
        first, second = Temperature(scale=scale).shares(cost, log_mass).ravel().tolist()
        assert math.log(second / first) == pytest.approx(gap, rel=1e-5)
    none = Temperature().shares(torch.full((2, 1), torch.nan), torch.full((2, 1), -torch.inf))
    assert none.ravel().tolist() == [0, 0]


def test_by_default_nothing_changes() -> None:
    plain = Temperature()
    excess = torch.tensor([-1.0, 0, 3])
    torch.testing.assert_close(plain.energy(excess), excess)
    assert plain.covariance_factor == 1
    assert Temperature(scale=2.0).covariance_factor == 0.25
    assert Temperature(tail=0.25).covariance_factor == 2
