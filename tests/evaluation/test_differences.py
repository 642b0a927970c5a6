"""Simultaneous intervals: those of textbooks where one applies, and right as often as they say."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from epropnp.evaluation.differences import Difference, differences_to_first
from epropnp.evaluation.estimate import Estimate


def flat(scores: Sequence[float], images: int = 9) -> np.ndarray:
    """Trials of these scores, in which every image counts the same."""
    return np.array(scores, float)[:, None] + np.zeros(images)


def found(settings: Sequence[np.ndarray], level: float = 0.95) -> list[Difference]:
    return differences_to_first(settings, [np.arange(settings[0].shape[1])], level)


def half(estimate: Estimate) -> float:
    assert estimate.high - estimate.value == pytest.approx(estimate.value - estimate.low)
    return estimate.high - estimate.value


def test_two_settings_of_one_seed_are_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    a, b = 60 + rng.normal(0, 9, 40), 58 + rng.normal(0, 9, 40)
    for level in (0.95, 0.8):
        (difference,) = found([a[None], b[None]], level)
        known = stats.ttest_rel(b, a).confidence_interval(level)
        estimate = difference.estimate
        assert [estimate.low, estimate.high] == pytest.approx([known.low, known.high], rel=1e-4)
        assert estimate.value == pytest.approx(b.mean() - a.mean())
        assert difference.seed_share == 0


def test_settings_whose_seeds_spread_alike_are_tukeys_test() -> None:
    """Images say nothing, so that all is between seeds; Tukey's honestly significant differences."""
    seeds = [[70, 74, 72], [66, 62, 64], [71, 69, 67], [50, 54, 52]]
    known = stats.tukey_hsd(*seeds).confidence_interval(0.95)
    for k, difference in enumerate(found([flat(each) for each in seeds]), start=1):
        estimate = difference.estimate
        assert [estimate.low, estimate.high] == pytest.approx([known.low[k, 0], known.high[k, 0]], rel=1e-4)
        assert difference.seed_share == 1


def test_the_variance_between_seeds_is_pooled_and_a_larger_one_kept() -> None:
    """Variances 2 and 32 of two seeds each: pooled 17 with 2 degrees of freedom, t(97.5 %, 2) = 4.3027."""
    (difference,) = found([flat([10, 12]), flat([0, 8])])
    assert half(difference.estimate) == pytest.approx(4.3027 * np.sqrt(17 / 2 + 32 / 2), rel=1e-4)


def test_the_pool_weighs_settings_by_their_seeds() -> None:
    """Squares 2 of two seeds and 4 of four: 6 / 4 with 4 degrees of freedom, t = 2.7764; 2 is kept."""
    (difference,) = found([flat([10, 12]), flat([4, 6, 4, 6])])
    assert half(difference.estimate) == pytest.approx(2.7764 * np.sqrt(2 / 2 + 1.5 / 4), rel=1e-4)


def test_a_pool_that_one_setting_dominates_is_known_less() -> None:
    """Sums of squares 200, 0, 0, 0, 0 of two seeds each: 200^2 / (200^2 / 3) = 3 degrees of freedom, not 5.

    The pooled variance is 200 / 5, the first keeps 200, and tables say q(95 %; 5, 3) = 7.502.
    """
    settings = [flat([70, 50]), *(flat([score] * 2) for score in (52, 51, 50, 49))]
    for difference in found(settings):
        expected = 7.502 / np.sqrt(2) * np.sqrt(200 / 2 + 40 / 2)
        assert half(difference.estimate) == pytest.approx(expected, rel=1e-3)


def test_one_seed_is_given_the_spread_of_the_others() -> None:
    """Variance 20 / 3 with 3 degrees of freedom, t(97.5 %, 3) = 3.1824."""
    (difference,) = found([flat([60, 64, 62, 66]), flat([50])])
    assert half(difference.estimate) == pytest.approx(3.1824 * np.sqrt(20 / 3 * (1 / 4 + 1)), rel=1e-4)


def test_seeds_and_images_share_the_error_and_the_degrees_of_freedom() -> None:
    """Seeds 2 / 2 + 2 / 2 with 2 degrees of freedom; images 4 x 40 / 39 / 10 with 39: by Welch 4.39."""
    base = 50 + np.tile([2.0, -2.0], 20)
    steady = np.full(40, 40.0)
    (difference,) = found([np.stack([base + 1, base - 1]), np.stack([steady + 1, steady - 1])])
    images, seeds = 4 * 40 / 39 / 40, 2.0
    dof = (images + seeds) ** 2 / (images**2 / 39 + seeds**2 / 2)
    expected = stats.t.ppf(0.975, dof) * np.sqrt(images + seeds)
    assert half(difference.estimate) == pytest.approx(expected, rel=1e-4)
    assert difference.seed_share == pytest.approx(seeds / (images + seeds))


def test_the_margin_is_of_two_one_sided_tests_with_four_images_more() -> None:
    values = np.tile([12.0, -12.0], 50)
    (difference,) = found([np.full((1, 100), 50.0), 45 + values[None]])
    error = np.sqrt(144 * 100 / 99 / 100 + 4 * 100**2 / 100**2)
    assert difference.least_margin == pytest.approx(stats.t.ppf(0.95, 99) * error, rel=1e-4)


def test_imagined_images_weigh_as_those_of_their_object() -> None:
    """Objects of 10 and 30 images: one image is a 20th and a 60th of the average."""
    same = np.full((1, 40), 50.0)
    (difference,) = differences_to_first([same, same], [np.arange(10), np.arange(10, 40)], 0.95)
    assert difference.estimate == Estimate(0.0, 0.0, 0.0)
    error = np.sqrt(2 * (100 / 20) ** 2 + 2 * (100 / 60) ** 2)
    assert difference.least_margin == pytest.approx(stats.t.ppf(0.95, 38) * error, rel=1e-4)


def test_with_one_image_of_each_object_nothing_is_known() -> None:
    objects = [np.array([k]) for k in range(3)]
    (difference,) = differences_to_first([np.full((2, 3), 9.0), np.zeros((2, 3))], objects, 0.95)
    assert difference.estimate == Estimate(-9.0, -np.inf, np.inf)
    assert difference.least_margin == np.inf
    assert difference.seed_share == 0


@pytest.mark.parametrize(
    ("count", "seeds", "luck", "least", "most"),
    [(4, 1, 0.0, 0.03, 0.075), (6, 2, 2.0, 0.008, 0.065)],
)
def test_a_family_of_equal_settings_errs_as_often_as_it_says(
    count: int, seeds: int, luck: float, least: float, most: float
) -> None:
    """Any interval below 0, the best being picked: 5 % with one seed, less where each may keep its spread."""
    rng, sweeps, erring = np.random.default_rng(1), 500, 0
    for _ in range(sweeps):
        settings = [rng.normal(0, luck, (seeds, 1)) + rng.normal(60, 9, (seeds, 50)) for _ in range(count)]
        settings.sort(key=lambda values: -values.mean())
        erring += any(each.estimate.high < 0 for each in found(settings))
    assert least <= erring / sweeps <= most
