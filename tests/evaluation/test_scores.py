"""Confidence intervals: as scipy's, reproducible, fair to every object."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from epropnp.errors import UserError
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.scores import (
    Estimate,
    Thresholds,
    best_of_hypotheses,
    estimates,
    image_scores,
    resampled_means,
)
from tests.evaluation.known_errors import model, pose, predictions, turn


def hits(rng: np.random.Generator, images: int, rate: float) -> np.ndarray:
    return 100.0 * (rng.random(images) < rate)


def test_intervals_are_those_of_scipy() -> None:
    values = {"a": hits(np.random.default_rng(0), 300, 0.6), "b": np.random.default_rng(1).random(300)}
    found = estimates(values, np.zeros(300, int), resamples=4000).average
    for name, sample in values.items():
        other = stats.bootstrap(
            (sample,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2)
        ).confidence_interval
        width = other.high - other.low
        assert found[name].value == pytest.approx(sample.mean())
        assert found[name].low == pytest.approx(other.low, abs=0.06 * width)
        assert found[name].high == pytest.approx(other.high, abs=0.06 * width)


def test_objects_are_drawn_apart_and_averaged_with_equal_weight() -> None:
    """Var of the average = (p1 q1 / 400 + p2 q2 / 100) / 4, not that of 500 images in one pot."""
    values = np.concatenate([np.repeat([0.0, 100.0], 200), np.repeat([0.0, 100.0], [90, 10])])
    object_id = np.repeat([6, 1], [400, 100])
    found = estimates({"a": values}, object_id, resamples=4000)
    assert found.average["a"].value == pytest.approx((50 + 10) / 2)
    expected = 100 * np.sqrt(0.25 / 400 + 0.09 / 100) / 2
    width = found.average["a"].high - found.average["a"].low
    assert width == pytest.approx(2 * 1.96 * expected, rel=0.06)
    assert [found.per_object[i]["a"].value for i in (6, 1)] == [50, 10]


def test_intervals_contain_the_truth_in_nineteen_of_twenty() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(300):
        cell = estimates({"a": hits(rng, 200, 0.7)}, np.zeros(200), resamples=400, seed=trial).average["a"]
        inside += cell.low <= 70 <= cell.high
    assert inside / 300 == pytest.approx(0.95, abs=0.035)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = {"a": hits(np.random.default_rng(0), 50, 0.5)}
    first, again = (estimates(values, np.zeros(50), seed=4) for _ in range(2))
    assert first == again
    assert estimates(values, np.zeros(50), seed=5) != first


def test_an_estimate_reads_as_in_a_table() -> None:
    assert str(Estimate(60.29, 54.71, 65.66)) == "60.3 [54.7, 65.7]"


def test_estimates_of_predictions_name_every_score() -> None:
    T_true = np.concatenate([pose()] * 4)
    T_pred = np.concatenate([pose(), pose(), pose(), pose(t=(1, 0, 1))])
    errors = pose_errors(predictions(T_pred, T_true), {6: model()})
    found = estimates(image_scores(errors), errors.object_id)
    assert found.average["add_0.10d"].value == 75
    assert 0 <= found.average["add_0.10d"].low < 75 < found.average["add_0.10d"].high <= 100
    assert found.per_object[6] == found.average


def test_other_thresholds_get_names_of_their_own() -> None:
    errors = pose_errors(predictions(pose(t=(0.003, 0, 1)), pose()), {6: model()})
    values = image_scores(errors, Thresholds(add=(0.025, 0.5), degcm=(0.2, 4), px=(1.5, 3)))
    expected = {"add_0.025d": 0, "add_0.50d": 100, "add_mean2": 50, "0.2deg0.2cm": 0, "4deg4cm": 100}
    assert expected | {"proj_1.5px": 0, "proj_3px": 100} == {
        name: values[name][0] for name in [*expected, "proj_1.5px", "proj_3px"]
    }


@pytest.mark.parametrize("values", [(), (0.1, 0.0), (float("nan"),)])
def test_thresholds_must_be_positive(values: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match=r"thresholds\.add: give positive numbers"):
        Thresholds(add=values)


def test_an_object_without_a_model_is_named() -> None:
    with pytest.raises(UserError, match=r"no model of object 6 \(known: 1\)"):
        pose_errors(predictions(pose(), pose()), {1: model()})


def test_of_several_poses_the_one_nearest_to_the_truth_counts() -> None:
    truth, off, lost = pose(), pose(t=(0.007, 0, 1)), np.full((1, 4, 4), np.nan)
    made = predictions(np.concatenate((off, off, lost)), np.concatenate([truth] * 3))
    assert best_of_hypotheses(made, {6: model()}) == {}
    second = np.concatenate((truth, lost, lost))
    several = dataclasses.replace(made, T_hypotheses=np.stack((made.T_pred, second), 1))
    found = best_of_hypotheses(several, {6: model()})
    assert found["best_of_2_add_0.05d"].tolist() == [100, 0, 0]
    assert found["best_of_2_add_0.10d"].tolist() == [100, 100, 0]


@pytest.mark.parametrize("level", [0.5, 0.8])
def test_the_level_is_the_probability_between_the_bounds(level: float) -> None:
    """Of a mean of many images the draws are normal: both tails are equally wide."""
    values = np.random.default_rng(0).normal(50, 10, 2000)
    cell = estimates({"a": values}, np.zeros(2000), level=level, resamples=3000).average["a"]
    reach = stats.norm.ppf((1 + level) / 2) * values.std() / np.sqrt(2000)
    assert cell.high - cell.value == pytest.approx(reach, rel=0.1)
    assert cell.value - cell.low == pytest.approx(reach, rel=0.1)


def test_all_scores_share_the_draws_and_objects_do_not() -> None:
    """A score that is another one reversed has its interval reversed; equal objects have other draws."""
    values = hits(np.random.default_rng(0), 40, 0.4)
    twice = np.concatenate([values, values])
    found = estimates({"a": twice, "b": 100 - twice}, np.repeat([1, 2], 40))
    a, b = found.average["a"], found.average["b"]
    assert b.low == pytest.approx(100 - a.high)
    assert b.high == pytest.approx(100 - a.low)
    per_object, average = found.per_object[1]["a"], a
    # the average of two independent means is narrower by the root of two
    assert (average.high - average.low) == pytest.approx(
        (per_object.high - per_object.low) / np.sqrt(2), rel=0.12
    )


def test_as_many_images_are_drawn_as_there_are_and_as_often_as_asked() -> None:
    rows = np.eye(7)  # the mean of a column: how often its image was drawn
    means = resampled_means(rows, 250, np.random.default_rng(0))
    assert means.shape == (250, 7)
    np.testing.assert_allclose(means.sum(1), 1)
    counts = np.round(7 * means)
    np.testing.assert_allclose(counts, 7 * means, atol=1e-9)
    assert counts.max() > 2  # with replacement
    assert len({tuple(row) for row in counts}) > 200  # blocks of 100 differ from each other
    np.testing.assert_allclose(means.mean(0), 1 / 7, atol=0.03)


def test_estimates_of_unequal_objects_have_values_of_their_own() -> None:
    values = np.array([0.0, 100, 100, 100, 50])
    found = estimates({"a": values, "b": values / 2}, np.array([6, 6, 6, 6, 1]), resamples=20)
    assert [found.per_object[i]["a"].value for i in (1, 6)] == [50, 75]
    assert (found.average["a"].value, found.average["b"].value) == (62.5, 31.25)
    assert found.per_object[1]["a"] == Estimate(50, 50, 50)  # one image: no other draw
    assert 0 <= found.per_object[6]["a"].low < 75 < found.per_object[6]["a"].high <= 100


def test_the_best_hypothesis_is_found_by_add_of_the_symmetric_object_too() -> None:
    """Turned by a quarter, the four points fall onto each other: no error by closest points."""
    far, turned = pose(t=(0.5, 0, 1)), pose(turn("z", 90))
    made = dataclasses.replace(predictions(far, pose()), T_hypotheses=np.stack((far, turned), 1))
    symmetric = best_of_hypotheses(made, {6: model("glue", True)}, Thresholds(add=(0.1,)))
    plain = best_of_hypotheses(made, {6: model()}, Thresholds(add=(0.1,)))
    assert [values["best_of_2_add_0.10d"].tolist() for values in (symmetric, plain)] == [[100], [0]]
