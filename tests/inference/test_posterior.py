"""On correspondences whose noise is what their weights say, the sampled posterior is calibrated."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from epropnp.inference.posterior import PosteriorSampler
from epropnp.inference.temperature import Draws, Temperature, Temperatures
from epropnp.pnp import EProPnP, MonteCarlo, PnPConfig, pose
from tests.evaluation.drawn_correspondences import draw, solve, squared_distance

OBJECTS = 600


@pytest.mark.parametrize("delta", [None, 1.0])
def test_credible_regions_contain_the_truth_as_often_as_they_say(delta: float | None) -> None:
    drawn = draw(OBJECTS, delta=delta)
    solution = solve(drawn)
    # a worse "symmetry": never the best
    elsewhere = pose.retract(drawn.truth, torch.tensor([0, 0, 0.5, 0, 0, 0]))
    sampler = PosteriorSampler(drawn.layer, 256)
    truths = torch.stack((elsewhere, drawn.truth))
    found = sampler.describe(sampler.draw(drawn.given, pose=solution.pose, truths=truths))
    level = found["credible_level"]
    for p in (0.5, 0.8, 0.95):
        assert abs((level <= p).float().mean() - p) < 3 * np.sqrt(p * (1 - p) / OBJECTS)
    torch.testing.assert_close(found["cost_true"], drawn.layer.cost(drawn.given, drawn.truth))
    assert found["effective_samples"].median() > 60
    if delta is None:
        # Laplace: log Z = -cost + 3 log 2 pi + log det(covariance) / 2 - log 4
        laplace = -solution.cost + 3 * np.log(2 * np.pi) + solution.covariance.logdet() / 2 - np.log(4)
        assert (found["log_evidence"] - laplace).median().abs() < 0.2


def test_the_covariance_is_too_small_under_huber_even_where_the_posterior_is_right() -> None:
    """Beyond the threshold the cost does not curve along the residual, re-weighted least squares does."""
    share = {}
    for delta in (None, 1.0):
        drawn = draw(OBJECTS, delta=delta)
        level = chi2.cdf(squared_distance(drawn, solve(drawn)), 6)
        share[delta] = (level <= 0.8).mean()
    assert share[None] == pytest.approx(0.8, abs=0.05)
    assert share[1.0] == pytest.approx(0.51, abs=0.06)


@pytest.mark.slow
def test_the_scale_at_which_is_drawn_changes_nothing_but_the_noise() -> None:
    drawn = draw(200, delta=1.0)
    solution = solve(drawn)
    wider = Temperatures(covariance=Temperature(scale=0.8))
    plain, other = (
        sampler.describe(sampler.draw(drawn.given, pose=solution.pose, truths=drawn.truth[None]))
        for sampler in (PosteriorSampler(drawn.layer, 2048, found) for found in (None, wider))
    )
    assert (plain["log_evidence"] - other["log_evidence"]).mean().abs() < 0.02
    assert (plain["credible_level"] - other["credible_level"]).abs().median() < 0.02
    assert not torch.equal(plain["log_evidence"], other["log_evidence"])


@pytest.mark.parametrize("tail", [0.0, 0.3])
def test_numbers_of_a_posterior_by_hand(tail: float) -> None:
    """Five samples of two objects; temperatures of posterior and covariance differ."""
    found = Temperatures(
        posterior=Temperature(scale=2.0, tail=tail), covariance=Temperature(scale=0.5, tail=0.1)
    )
    rng = np.random.default_rng(0)
    cost, excess, excess_true = np.array([3.0, 7.0]), rng.random((5, 2)), np.array([0.4, 0.6])
    excess[0] = excess_true  # equally likely: not more likely
    log_proposal = rng.normal(size=(5, 2))

    def energy(value: np.ndarray) -> np.ndarray:
        e = 4 * value  # scale squared
        return e if tail == 0 else (1 / tail + 6) / 2 * np.log(1 + 2 * tail * e)

    weights = np.exp(-energy(excess) - log_proposal)
    described = PosteriorSampler(EProPnP(), 8, found).describe(
        Draws(*(torch.from_numpy(x) for x in (cost, excess, log_proposal, excess_true)))
    )
    share = weights / weights.sum(0)
    expected = {
        "log_evidence": np.log(weights.mean(0)) - 4 * cost,
        "effective_samples": 1 / np.square(share).sum(0),
        "cost_true": energy(excess_true) + 4 * cost,
        "credible_level": (share * (excess < excess_true)).sum(0),
    }
    assert described.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(described[name], value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize(("asked", "drawn"), [(256, 256), (9, 8), (1, 2)])
def test_an_even_number_is_drawn_about_the_pose_that_is_given(
    asked: int, drawn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monte_carlo, centres = EProPnP.monte_carlo, []

    def spy(self: EProPnP, *args: Any, **kwargs: Any) -> MonteCarlo:
        found = monte_carlo(self, *args, **kwargs)
        centres.append(found.solution.pose)
        return found

    monkeypatch.setattr(EProPnP, "monte_carlo", spy)
    made = draw(3)
    pose_given = pose.retract(made.truth, torch.tensor([0.003, 0, 0, 0, 0.01, 0]))
    elsewhere = pose.retract(made.truth, torch.tensor([0, 0.01, 0, 0, 0, 0]))
    sampler = PosteriorSampler(made.layer, asked)
    draws = sampler.draw(made.given, pose=pose_given, truths=torch.stack((elsewhere, made.truth)))
    assert draws.excess.shape == draws.log_proposal.shape == (drawn, 3)
    at_pose, near, far = (made.layer.cost(made.given, p) for p in (pose_given, made.truth, elsewhere))
    torch.testing.assert_close(centres[0], pose_given, atol=1e-6, rtol=0)  # it is not solved for again
    torch.testing.assert_close(draws.cost, at_pose)
    torch.testing.assert_close(draws.excess_true, torch.minimum(near, far) - at_pose, atol=1e-3, rtol=1e-4)


def test_samples_are_drawn_as_wide_as_the_covariance_is_said_to_be() -> None:
    """Half of the weights make twice the spread; the costs are those of the weights that are given."""
    made = draw(20)
    poses = solve(made).pose
    spread, evidence = [], []
    for found in (None, Temperatures(covariance=Temperature(scale=0.5))):
        sampler = PosteriorSampler(made.layer, 256, found)
        draws = sampler.draw(made.given, pose=poses, truths=made.truth[None])
        assert (draws.excess > -0.05).all()
        spread.append(draws.excess.median().item())
        evidence.append(draws.log_evidence(Temperature()))
    assert spread[1] == pytest.approx(4 * spread[0], rel=0.25)
    assert (evidence[1] - evidence[0]).abs().median() < 0.3  # the same integral, with more noise


def test_a_learnt_threshold_is_the_sampler_s_too() -> None:
    layer = EProPnP(PnPConfig(learn_delta=True))
    assert layer.log_delta is not None
    layer.log_delta.data += 1.0
    made = draw(2)
    sampler = PosteriorSampler(layer, 8)
    torch.testing.assert_close(sampler.layer.delta(made.given), layer.delta(made.given))
