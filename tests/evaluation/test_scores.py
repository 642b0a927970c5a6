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
    score_estimates,
)
from tests.evaluation.made import model, pose, predictions


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
    found = score_estimates(predictions(T_pred, T_true), {6: model()})
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
