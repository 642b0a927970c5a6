"""Errors that are kept beside predictions: the same numbers, and never those of other predictions."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.evaluation import error_file
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.pose_errors import PoseErrors, pose_errors
from epropnp.evaluation.predictions import Predictions
from tests.evaluation.known_errors import model, pose, predictions

CAT = {6: model()}


def written(folder: Path, shift_m: float) -> tuple[Predictions, Path]:
    made = predictions(
        np.concatenate([pose(t=(shift_m, 0, 1)), pose(t=(0, shift_m, 1))]), np.tile(pose(), (2, 1, 1))
    )
    file = folder / "predictions.parquet"
    made.write(file)
    return made, file


def same(one: PoseErrors, other: PoseErrors) -> None:
    for name, values in dataclasses.asdict(one).items():
        np.testing.assert_array_equal(np.broadcast_to(values, 2), getattr(other, name))


def test_they_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, file = written(tmp_path, 0.01)
    first = errors_beside(made, CAT, file)
    np.testing.assert_allclose(first.add_m, 0.01, rtol=1e-9)
    same(pose_errors(made, CAT), first)
    monkeypatch.setattr(error_file, "pose_errors", None)
    same(first, errors_beside(made, CAT, file))


def test_they_are_those_of_the_predictions_that_lie_there(tmp_path: Path) -> None:
    for shift_m in (0.01, 0.03):
        made, file = written(tmp_path, shift_m)
        np.testing.assert_allclose(errors_beside(made, CAT, file).add_m, shift_m, rtol=1e-9)


@pytest.mark.parametrize("content", [b"", b"PAR1", None], ids=["empty", "half", "a folder"])
def test_a_damaged_file_is_computed_again(content: bytes | None, tmp_path: Path) -> None:
    made, file = written(tmp_path, 0.02)
    kept = tmp_path / "predictions.errors.parquet"
    if content is None:
        kept.mkdir()
    else:
        kept.write_bytes(content)
    np.testing.assert_allclose(errors_beside(made, CAT, file).add_m, 0.02, rtol=1e-9)


def test_what_cannot_be_written_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path) -> None:
        raise UserError("no space left")

    monkeypatch.setattr(error_file, "replaced", full)
    made, file = written(tmp_path, 0.02)
    np.testing.assert_allclose(errors_beside(made, CAT, file).add_m, 0.02, rtol=1e-9)
