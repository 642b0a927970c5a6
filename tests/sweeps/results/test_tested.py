"""What is kept of a trial's predictions: numbers that follow from poses with known errors."""

import dataclasses

import numpy as np

from epropnp.evaluation.pose_errors import pose_errors
from sweeps.results.tested import scored
from tests.evaluation.known_errors import model, pose, predictions


def test_errors_scores_and_names_are_those_of_the_poses() -> None:
    cat = model()
    shifts = np.array([0.01, 0.09, 0.11, 0.3]) * cat.diameter_m
    T_true = np.concatenate([pose()] * 4)
    T_pred = np.concatenate([pose(t=(float(shift), 0, 1)) for shift in shifts])
    given = dataclasses.replace(predictions(T_pred, T_true), objects={6: cat})
    found = scored(given, pose_errors(given, given.objects), given.objects)
    np.testing.assert_allclose(found.errors.add_m, shifts, rtol=1e-6)
    assert found.values["add_0.10d"].tolist() == [100, 100, 0, 0]
    assert found.average["add_0.10d"].value == 50
    assert found.found.per_object[6]["add_0.02d"].value == 25
    assert found.names == {6: "cat"}
    np.testing.assert_array_equal(found.T_true, T_true)
