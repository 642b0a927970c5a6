"""On correspondences whose noise is what their weights say, the sampled posterior is calibrated."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from epropnp.evaluation.posterior import PosteriorSampler
from epropnp.evaluation.temperature import Temperature, Temperatures
from epropnp.pnp import pose
from tests.evaluation.drawn import draw, solve, squared_distance

OBJECTS = 600


@pytest.mark.parametrize("delta", [None, 1.0])
def test_credible_regions_contain_the_truth_as_often_as_they_say(delta: float | None) -> None:
    drawn = draw(OBJECTS, delta=delta)
    solution = solve(drawn)
    # a worse "symmetry": never the best
    elsewhere = pose.retract(drawn.truth, torch.tensor([0, 0, 0.5, 0, 0, 0]))
    sampler = PosteriorSampler(drawn.layer, 256)
    truths = torch.stack((elsewhere, drawn.truth))
    found = sampler.describe(sampler.draw(*drawn.given, pose=solution.pose, truths=truths))
    level = found["credible_level"]
    for p in (0.5, 0.8, 0.95):
        assert abs((level <= p).float().mean() - p) < 3 * np.sqrt(p * (1 - p) / OBJECTS)
    torch.testing.assert_close(found["cost_true"], drawn.layer.cost(drawn.truth, *drawn.given))
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


def test_the_scale_at_which_is_drawn_changes_nothing_but_the_noise() -> None:
    drawn = draw(200, delta=1.0)
    solution = solve(drawn)
    wider = Temperatures(covariance=Temperature(scale=0.8))
    plain, other = (
        sampler.describe(sampler.draw(*drawn.given, pose=solution.pose, truths=drawn.truth[None]))
        for sampler in (PosteriorSampler(drawn.layer, 2048, found) for found in (None, wider))
    )
    assert (plain["log_evidence"] - other["log_evidence"]).mean().abs() < 0.02
    assert (plain["credible_level"] - other["credible_level"]).abs().median() < 0.02
    assert not torch.equal(plain["log_evidence"], other["log_evidence"])
