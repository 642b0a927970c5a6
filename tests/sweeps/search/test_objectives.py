"""Objectives of a search: their names, their direction, and where their values come from."""

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.evaluation.scores import image_scores
from epropnp.training.result import TrialResult
from sweeps.search.objectives import SCORES, Objective, objectives_of
from tests.sweeps.told import ended


def test_values_are_those_of_validation_and_of_the_network(result: TrialResult) -> None:
    found = objectives_of("val/add_0.10d,-parameters,-seconds,-gflops")
    assert [each.least for each in found] == [False, True, True, True]
    trial = ended("a", "finished", result=result)
    config = dataclasses.replace(trial.config, model=dataclasses.replace(trial.config.model, input_px=64))
    half = dataclasses.replace(config, model=dataclasses.replace(config.model, input_px=32))
    smaller = dataclasses.replace(trial, config=half)
    score, parameters, seconds, small = (each.value(smaller) for each in found)
    assert (score, parameters, seconds) == (71.25, 1_234_567.0, 61.4)
    assert found[3].value(dataclasses.replace(trial, config=config)) == pytest.approx(4 * small, rel=0.02)


def test_all_validation_images_count_where_a_result_tells_of_them(result: TrialResult) -> None:
    """An older one knows only the images that its epochs were scored on."""
    (score,) = objectives_of("val/add_0.10d")
    newer = dataclasses.replace(result, val_after={"add_0.10d": 80.0}, validation={"add_0.10d": 64.5})
    assert score.value(ended("a", "finished", result=newer)) == 64.5
    older = dataclasses.replace(newer, validation={})
    assert score.value(ended("a", "finished", result=older)) == 80.0


def test_epochs_have_scores_but_no_costs() -> None:
    score, cost = objectives_of("val/add_area,-seconds")
    history = ({"val/add_area": 1.5, "train/loss": 3.0}, {"train/loss": 2.0}, {"val/add_area": 4.0})
    trial = dataclasses.replace(ended("a", "stopped", "by hand"), history=history)
    assert score.intermediate(trial) == {0: 1.5, 2: 4.0}
    assert cost.intermediate(trial) == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("test/add_area", "neither val/SCORE nor one of -gflops, -parameters, -seconds; test images are for"),
        ("-gflop", "did you mean 'gflops'"),
        ("", "'' is neither val/SCORE"),
        ("seconds", "less of seconds is better: -seconds"),
        ("val/add_0.1d", "val/add_0.1d is no score; did you mean 'val/add_0.10d'?"),
        ("val/add_area,-val/add_area", "val/add_area is given twice"),
    ],
)
def test_what_is_no_objective_is_said(text: str, said: str) -> None:
    with pytest.raises(UserError) as found:
        objectives_of(text)
    assert said in str(found.value)


def test_a_score_that_nobody_measures_names_the_nearest(result: TrialResult) -> None:
    score = Objective(name="val/add_0.1d", least=False)
    with pytest.raises(UserError, match=r"unknown score 'val/add_0.1d'; did you mean 'add_0.10d'\?"):
        score.value(ended("a", "finished", result=result))


def test_the_scores_are_those_that_images_count() -> None:
    one, angle = np.zeros(1), np.zeros(1)
    errors: Any = SimpleNamespace(
        add_m=one,
        diameter_m=one + 1,
        angle_deg=angle,
        shift_m=one,
        projection_px=one,
        mssd_m=one,
        mspd_px=one,
    )
    assert [f"val/{name}" for name in image_scores(errors)] == list(SCORES)
