"""Comparisons of settings: exact where the answer is known, and right as often as they claim."""

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from epropnp.errors import UserError
from epropnp.evaluation.comparison import Compared, Comparison, compare
from epropnp.evaluation.flips import Flips
from epropnp.evaluation.scores import estimates

COMMON, OWN, REST = 1.0, 0.5, 0.7  # spreads: difficulty of an image for all, for a setting, for a trial


def simulated(
    rng: np.random.Generator, levels: tuple[float, ...], seeds: int, images: int, seed_std: float
) -> dict[str, np.ndarray]:
    """An image counts 100 where level + luck of the seed + difficulty + rest is positive."""
    common = rng.normal(0, COMMON, images)
    return {
        f"s{k}": 100.0
        * (
            level
            + rng.normal(0, seed_std, (seeds, 1))
            + common
            + rng.normal(0, OWN, images)
            + rng.normal(0, REST, (seeds, images))
            > 0
        )
        for k, level in enumerate(levels)
    }


def flat(scores: Sequence[float] | np.ndarray, images: int) -> np.ndarray:
    """Trials of these scores, in which every image counts the same."""
    return np.array(scores, float)[:, None] + np.zeros(images)


def expected(level: float, seed_std: float) -> float:
    return float(100 * stats.norm.cdf(level / np.sqrt(seed_std**2 + COMMON**2 + OWN**2 + REST**2)))


def by_name(comparison: Comparison) -> dict[str, Compared]:
    return {row.name: row for row in comparison.settings}


def test_one_seed_gives_the_interval_of_the_table() -> None:
    rng = np.random.default_rng(0)
    object_id = np.repeat([1, 6], [80, 40])
    trials = simulated(rng, (0.4, 0.1), seeds=1, images=120, seed_std=0)
    for name, row in by_name(compare(trials, object_id)).items():
        assert row.mean == pytest.approx(estimates({"x": trials[name][0]}, object_id).average["x"])
        assert row.spread is None


def test_identical_trials_differ_by_exactly_nothing() -> None:
    values = 100.0 * (np.random.default_rng(0).random((1, 333)) < 0.6)
    first, second = compare({"a": values, "b": values.copy()}, np.arange(333) % 5).settings
    assert (first.name, first.verdict) == ("a", "equal")
    assert (second.difference.value, second.difference.low, second.difference.high) == (0, 0, 0)
    assert second.verdict == "equal"


def test_a_constant_difference_is_found_exactly_where_the_images_are_paired() -> None:
    """Each trial alone is uncertain by the images; their difference is not."""
    images = np.random.default_rng(0).uniform(20, 80, (1, 50))
    best, other = compare({"low": images - 3, "high": images}, np.zeros(50)).settings
    assert (best.name, other.verdict) == ("high", "worse")
    assert [other.difference.low, other.difference.high] == pytest.approx([-3, -3])
    assert other.mean.high - other.mean.low > 5


def test_without_image_noise_the_intervals_are_student() -> None:
    """Every image counts the same in a trial: only seeds vary, and the t tests of the textbook apply."""
    a, b = np.array([60.0, 64, 62, 66]), np.array([59.0, 53, 57, 55])  # both vary by 20 / 3
    best, other = compare(
        {"a": a[:, None] + np.zeros(9), "b": b[:, None] + np.zeros(9)}, np.zeros(9)
    ).settings
    student = stats.ttest_1samp(a, 0).confidence_interval()
    assert [best.mean.low, best.mean.high] == pytest.approx([student.low, student.high], abs=0.1)
    pooled = stats.ttest_ind(b, a).confidence_interval()
    assert [other.difference.low, other.difference.high] == pytest.approx([pooled.low, pooled.high], rel=1e-4)
    assert best.spread == pytest.approx(np.std(a, ddof=1))
    assert other.difference.value == pytest.approx(b.mean() - a.mean())
    assert other.verdict == "worse"


def test_objects_count_alike_and_the_best_comes_first() -> None:
    object_id = np.repeat([1, 2], [90, 10])
    easy_first = np.where(object_id == 1, 90.0, 10.0)[None]  # average 50
    rows = compare(
        {"a": easy_first, "b": np.full((1, 100), 60.0), "c": np.full((1, 100), 55.0)}, object_id
    ).settings
    assert [(row.name, round(row.mean.value, 6)) for row in rows] == [("b", 60), ("c", 55), ("a", 50)]
    assert [row.verdict for row in rows] == ["best", "worse", "worse"]
    assert [row.difference.value for row in rows] == pytest.approx([0, -5, -10])


def test_the_same_call_gives_the_same_answer() -> None:
    trials = simulated(np.random.default_rng(1), (0.4, 0.3), seeds=3, images=60, seed_std=0.1)
    assert compare(trials, np.zeros(60)) == compare(trials, np.zeros(60))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "images", "seed_std"), [(3, 200, 0.0), (3, 1000, 0.1), (3, 200, 0.3), (5, 300, 0.1)]
)
def test_intervals_hold_the_truth_in_nineteen_of_twenty(seeds: int, images: int, seed_std: float) -> None:
    """With more seeds than one; a little too often where seeds are few and images the larger noise."""
    rng, levels = np.random.default_rng(4), (0.5, 0.3)
    truth = {f"s{k}": expected(level, seed_std) for k, level in enumerate(levels)}
    means, differences, repeats = [], [], 200
    for repeat in range(repeats):
        trials = simulated(rng, levels, seeds, images, seed_std)
        best, other = compare(trials, np.zeros(images), resamples=300, seed=repeat).settings
        means += [row.mean.low <= truth[row.name] <= row.mean.high for row in (best, other)]
        difference = truth[other.name] - truth[best.name]
        differences.append(other.difference.low <= difference <= other.difference.high)
    assert 0.925 <= np.mean(means) <= 0.99
    assert 0.92 <= np.mean(differences) <= 0.995


def test_one_seed_says_nothing_about_other_seeds() -> None:
    """Why the summary warns: an interval over images alone misses the truth far too often."""
    rng, inside = np.random.default_rng(5), []
    for repeat in range(100):
        trials = simulated(rng, (0.5,), seeds=1, images=1000, seed_std=0.1)
        (row,) = compare(trials, np.zeros(1000), resamples=300, seed=repeat).settings
        inside.append(row.mean.low <= expected(0.5, 0.1) <= row.mean.high)
    assert np.mean(inside) < 0.75


def test_scores_of_other_images_are_refused() -> None:
    with pytest.raises(UserError, match=r"b: scores of shape \(2, 9\), not \(seeds, 10 images\)"):
        compare({"a": np.zeros((2, 10)), "b": np.zeros((2, 9))}, np.zeros(10))


def variance_of_the_average(values: np.ndarray, object_id: np.ndarray) -> float:
    """Over draws of images within each object, objects weighing alike."""
    parts = [values[object_id == key] for key in np.unique(object_id)]
    return float(sum(part.var() / len(part) for part in parts) / len(parts) ** 2)


def test_images_seeds_and_their_rest_add_up_by_the_formula() -> None:
    """40 seeds: V_I - V_E + V_S, where the rest that images x seeds share is counted once.

    Two objects of unequal size; half of V_I is V_E here, so that counting it twice would be seen.
    """
    rng, seeds, object_id = np.random.default_rng(0), 40, np.repeat([1, 6], [40, 160])
    trials = {
        name: level
        + rng.normal(0, luck, (seeds, 1))
        + rng.normal(0, 1, 200)
        + rng.normal(0, 12, (seeds, 200))
        for name, level, luck in (("a", 60.0, 0.2), ("b", 40.0, 0.6))
    }
    rows = by_name(compare(trials, object_id, resamples=4000))

    def average(values: np.ndarray) -> np.ndarray:
        return np.mean([values[..., object_id == key].mean(-1) for key in (1, 6)], axis=0)

    def parts(values: np.ndarray) -> tuple[float, float]:
        """V_E and V_S of one setting by itself."""
        rest = [variance_of_the_average(v - values.mean(0), object_id) for v in values]
        return float(np.mean(rest) / (seeds - 1)), float(average(values).var(ddof=1) / seeds)

    (rest_a, seed_a), (rest_b, seed_b) = parts(trials["a"]), parts(trials["b"])
    pooled_a, pooled_b = (max(own, (seed_a + seed_b) / 2) for own in (seed_a, seed_b))
    means = {name: values.mean(0) for name, values in trials.items()}
    for found, image, rest, seed in (
        (rows["a"].mean, means["a"], rest_a, seed_a),
        (rows["b"].mean, means["b"], rest_b, seed_b),
        (rows["b"].difference, means["b"] - means["a"], rest_a + rest_b, pooled_a + pooled_b),
    ):
        total = variance_of_the_average(image, object_id) - rest + seed
        assert rest > 0.3 * total
        assert found.value == pytest.approx(average(image))
        assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(total), rel=0.06)


def test_the_level_and_the_seed_of_the_draws_are_used() -> None:
    trials = simulated(np.random.default_rng(1), (0.4, 0.3), seeds=2, images=300, seed_std=0.0)
    one, other = (compare(trials, np.zeros(300), seed=seed).settings[0].mean for seed in (0, 1))
    assert one != other
    half = compare({"a": trials["s0"][:1]}, np.zeros(300), level=0.5).settings[0].mean
    whole = compare({"a": trials["s0"][:1]}, np.zeros(300)).settings[0].mean
    normal = stats.norm.ppf(0.75) / stats.norm.ppf(0.975)
    assert half.high - half.low == pytest.approx(normal * (whole.high - whole.low), rel=0.25)


def test_a_mean_stays_between_0_and_100_and_a_difference_need_not() -> None:
    """Two seeds far apart: Student's interval reaches beyond both ends."""
    low, high = np.zeros((2, 5)), np.full((2, 5), 100.0)
    low[1], high[1] = 8, 92
    best, other = compare({"low": low, "high": high}, np.zeros(5)).settings
    assert (best.mean.high, other.mean.low) == (100, 0)
    assert best.mean.low < 92 - 8
    assert other.difference.low < -100
    assert other.difference.value == pytest.approx(-92)
    assert best.spread == pytest.approx(8 / np.sqrt(2))
    assert other.seeds == (0, 8)


@pytest.mark.parametrize("strength", [1, 3])
def test_two_seeds_whose_means_agree_leave_the_images_less_their_rest(strength: int) -> None:
    """Deviations d and -d of sum 0: V_E / V_I is var d / var b, summed over objects of unequal size.

    The draws are those of one trial that counts b, so that the widths compare exactly.
    """
    rng, object_id = np.random.default_rng(0), np.repeat([1, 6], [10, 30])
    base = 50.0 + rng.integers(-6, 7, 40)
    rest = strength * np.tile([4.0, -4, 2, -2, 0, 1, -1, 3, -3, 0], 4)
    pair = compare({"a": np.stack([base + rest, base - rest])}, object_id).settings[0].mean
    alone = compare({"a": base[None]}, object_id).settings[0].mean
    kept = 1 - variance_of_the_average(rest, object_id) / variance_of_the_average(base, object_id)
    assert (kept > 0) == (strength == 1)
    expected = np.sqrt(max(kept, 0)) * (alone.high - alone.low)
    assert pair.high - pair.low == pytest.approx(expected, abs=1e-9)
    assert pair.value == pytest.approx(alone.value)


def test_the_best_setting_is_that_of_the_best_mean_and_not_of_the_luckiest_seed() -> None:
    rows = compare({"lucky": flat([90, 10], 4), "steady": flat([60, 58], 4)}, np.zeros(4)).settings
    assert [row.name for row in rows] == ["steady", "lucky"]


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {row.name: comparison.words(row) for row in comparison.settings}


def test_equal_is_said_within_the_margin_and_names_it() -> None:
    """One seed, 400 images that all differ by 3 or all by 1: what is behind by 3 is worse, however little."""
    rng = np.random.default_rng(0)
    base = rng.uniform(20, 80, (1, 400))
    noise = rng.permutation(np.repeat([-20.0, 20.0], 200))[None]  # a standard error of 1 for the difference
    trials = {"a": base, "b": base - 1 + noise, "c": base - 3}
    assert verdicts(compare(trials, np.zeros(400))) == {
        "a": "best",
        "b": "equal within 5",
        "c": "worse",
    }
    # b: 1 + q(90 %; 3 settings, 399) / sqrt(2) * sqrt(1.0025 + 0.25), and 2.055 of these are 2.30
    assert verdicts(compare(trials, np.zeros(400), margin=3.4))["b"] == "equal within 3.4"
    assert verdicts(compare(trials, np.zeros(400), margin=3.2))["b"] == "not distinguishable"
    assert compare(trials, np.zeros(400), margin=0.5).margin == 0.5


def test_few_images_that_agree_are_not_called_equal() -> None:
    """Of networks that are 5 points apart, 50 images show no difference in 8 % of draws; 100 in 0.6 %."""
    for images, verdict in ((50, "not distinguishable"), (100, "equal within 5")):
        same = 100.0 * (np.arange(images) % 2)[None]
        assert verdicts(compare({"a": same, "b": same.copy()}, np.zeros(images)))["b"] == verdict


def test_one_seed_is_never_told_from_a_best_with_several() -> None:
    """The spread of `a` alone, 1, would call 30 points worse, and a single 69.9 equal."""
    a = flat([70, 69, 71], 100)
    for score in (40, 69.9):
        found = compare({"a": a, "lone": flat([score], 100)}, np.zeros(100))
        assert verdicts(found) == {"a": "best", "lone": "not distinguishable"}
        assert found.least_margin is None
    assert verdicts(compare({"a": a, "b": flat([40, 39, 41], 100)}, np.zeros(100)))["b"] == "worse"


def test_a_lone_best_and_others_are_told_by_the_spread_of_those_with_several() -> None:
    trials = {"lone": flat([70], 100), "other": flat([60], 100), "a": flat([50, 49, 51], 100)}
    found = compare(trials, np.zeros(100))
    # Variance between seeds 1 with 2 degrees of freedom, q(95 %; 3, 2) = 8.331 (tables of Tukey's test)
    for row, variance in zip(found.settings[1:], (1 + 1, 1 + 1 / 3), strict=True):
        half = 8.331 / np.sqrt(2) * np.sqrt(variance)
        assert row.difference.high - row.difference.value == pytest.approx(half, rel=1e-3)
    assert verdicts(found) == {"lone": "best", "other": "worse", "a": "worse"}


def test_the_smallest_margin_is_that_of_the_rival_that_is_known_best() -> None:
    """Of 200 images, `near` differs in none, `far` in all: by 20 or -20."""
    base = np.random.default_rng(0).uniform(40, 60, (1, 200))
    far = base + np.tile([-20.0, 20.0], 100)
    found = compare({"a": base, "far": far - 4, "near": base - 4}, np.zeros(200))
    # q(90 %; 3 settings, 199) = 2.92, and four images imagined to differ by 100: 2.92 / sqrt(2) * 200 / 200
    assert found.least_margin == pytest.approx(2.92 / np.sqrt(2), rel=3e-3)
    assert found.seed_share == 0
    alone = compare({"a": base}, np.zeros(200))
    assert (alone.least_margin, alone.settings[0].verdict) == (None, "best")


def test_flips_are_counted_against_the_best_and_by_hits_alone() -> None:
    scores = {"b": flat([50], 4), "a": flat([60], 4)}
    hits = {"a": np.array([[100, 100, 0, 0]]), "b": np.array([[0, 0, 0, 100]])}
    best, other = compare(scores, np.zeros(4), hits=hits).settings
    assert best.flips is None
    assert other.flips == Flips(gained=1, lost=2)
    assert compare(scores, np.zeros(4)).settings[1].flips is None
