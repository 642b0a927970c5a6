"""Looks at a race: what is dropped, what is equal, who gets the next seed, and how often that is wrong."""

import numpy as np
import pytest
from scipy import stats

from epropnp.evaluation.metrics import Array
from sweeps.search.racing import Scores, look_at, next_seeds, resolution, spent
from tests.drills.verdict_rates import simulated
from tests.sweeps.search.races import race, rates

IMAGES = 400


def scores_of(*settings: Array, earlier: tuple[Array, ...] = ()) -> Scores:
    return Scores(settings=settings, objects=[np.arange(settings[0].shape[1])], earlier=earlier)


def drawn(means: list[float], seeds: int, spread: float = 1.4, seed: int = 0) -> list[Array]:
    return simulated(np.random.default_rng(seed), means, seeds, IMAGES, spread)


def test_of_five_percent_no_more_is_spent() -> None:
    assert sum(spent(look) for look in range(200)) == pytest.approx(0.05)
    assert all(spent(look) > 0 for look in range(200))


def test_with_one_seed_each_nothing_is_known_of_their_spread() -> None:
    look = look_at(scores_of(*drawn([80, 20], 1)), (0, 1), 0, 5.0)
    assert (look.left, look.dropped, look.decided) == ((0, 1), {}, False)


def test_earlier_sweeps_know_it() -> None:
    """The drop and its interval, by hand: paired t over images, seeds that spread by 1 point."""
    a, b = np.zeros((1, 100)), np.zeros((1, 100))
    a[0, :60], b[0, :30] = 100, 100
    luck = 50 + np.sqrt(2 / 3) * np.array([-1.5, -0.5, 0.5, 1.5, 0.0])  # its variance is 5 / 6
    earlier = tuple(luck for _ in range(60))
    look = look_at(scores_of(a, b, earlier=earlier), (0, 1), 0, 5.0)
    assert look.left == (0,)
    assert look.decided
    ((rival, difference),) = look.dropped.values()
    variance = (b - a).var(ddof=1) / 100 + 2 * luck.var(ddof=1)
    critical = stats.t.ppf(1 - spent(0), 100)  # of two settings; of some 130 degrees, rounded down
    assert rival == 0
    assert difference.value == pytest.approx(-30)
    assert difference.high == pytest.approx(-30 + critical * variance**0.5, abs=0.05)


def test_what_agrees_is_equal_and_what_may_differ_is_not() -> None:
    rng = np.random.default_rng(3)
    one = 100.0 * (rng.random(2000) < 0.5)
    twins = [np.stack([one, one, one]) for _ in range(3)]
    assert look_at(scores_of(*twins), (0, 1, 2), 2, 5.0).equal
    assert not look_at(scores_of(*twins), (0, 1, 2), 2, 0.2).equal
    few = [each[:, :40] for each in twins]
    assert not look_at(scores_of(*few), (0, 1, 2), 2, 5.0).equal


def test_the_better_half_gets_seeds_and_none_gets_too_many() -> None:
    scores = scores_of(*drawn([60, 58, 56, 40, 20], 2))
    assert sorted(next_seeds(scores, (0, 1, 2, 3, 4), 5)) == [0, 1, 2]
    assert next_seeds(scores, (0, 4), 5) == [0, 4]
    assert next_seeds(scores, (0, 1, 2, 3, 4), 2) == []


def test_fewer_seeds_are_more_doubt() -> None:
    """Seeds spread by root 6: 59 with one seed may be 63.9, 60 with two 63.5, 61 with two 64.5."""
    settings = [np.full((2, 10), 60.0), np.full((1, 10), 59.0), np.full((2, 10), 61.0)]
    scores = scores_of(*settings, earlier=(np.array([47.0, 53.0]),))
    assert scores.spread == pytest.approx(6**0.5)
    assert next_seeds(scores, (0, 1, 2), 99) == [2, 1]


def test_with_more_images_and_seeds_smaller_leads_show() -> None:
    def least(images: int, seeds: int) -> float:
        settings = simulated(np.random.default_rng(1), [60.0] * 4, 2, images, 2.0)
        return resolution(scores_of(*settings), seeds)

    assert least(2000, 5) < least(200, 5) < least(50, 5)
    assert least(500, 10) < least(500, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "most"),
    [([60.0] * 4, 1.05), ([60.0, 52.0, 48.0, 44.0], 0.62), ([60.0, 44.0, 36.0, 30.0], 0.47)],
)
def test_rates_of_error_and_cost(means: list[float], most: float) -> None:
    """200 races, seeds that spread by 1.4 points: at 5 % the standard error is 1.5 %."""
    found = rates(
        [(race(drawn(means, 5, seed=k), 5.0), np.array(means)) for k in range(200)],
        margin=5.0,
    )
    assert found.wrong <= 0.06
    assert found.right >= 0.95
    assert found.cost <= most
