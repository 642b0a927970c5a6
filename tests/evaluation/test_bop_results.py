"""The results file of the BOP challenge: columns, units, and images that the toolkit finds."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.evaluation.bop_results import bop_images, write_bop_results
from epropnp.evaluation.predictions import Posterior, Predictions
from tests.evaluation.known_errors import pose, predictions, turn


@pytest.fixture
def made() -> Predictions:
    T = np.concatenate([pose(turn("z", 90), (0.1, -0.2, 0.8)), pose(), np.full((1, 4, 4), np.nan)])
    names = ["lm/test/000006/000123_000000", "lm/test/000006/000124_000000", "lm/test/000006/000125_000000"]
    return dataclasses.replace(predictions(T, T), sample_id=names, cost=np.array([1.5, 2.0, 3.0]))


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_rows_hold_millimetres_and_rotations_row_by_row(made: Predictions, tmp_path: Path) -> None:
    assert write_bop_results(made, tmp_path / "r.csv") == 1  # the pose that is not finite
    first, second = rows(tmp_path / "r.csv")
    assert list(first) == ["scene_id", "im_id", "obj_id", "score", "R", "t", "time"]
    assert [first[name] for name in ("scene_id", "im_id", "obj_id", "time")] == ["6", "123", "6", "-1"]
    np.testing.assert_allclose(
        [float(x) for x in first["R"].split()], [0, -1, 0, 1, 0, 0, 0, 0, 1], atol=1e-12
    )
    assert [float(x) for x in first["t"].split()] == [100, -200, 800]
    assert (first["score"], second["score"]) == ("-1.500000", "-2.000000")


def test_the_score_is_the_log_posterior_where_it_was_sampled(made: Predictions, tmp_path: Path) -> None:
    zeros = {field.name: np.zeros(3) for field in dataclasses.fields(Posterior)}
    posterior = Posterior(**zeros | {"log_evidence": np.array([-7.0, -5.0, 0.0])})
    write_bop_results(dataclasses.replace(made, posterior=posterior), tmp_path / "r.csv")
    assert [row["score"] for row in rows(tmp_path / "r.csv")] == ["5.500000", "3.000000"]


def test_images_of_other_origin_are_numbered_as_the_exporter_does(made: Predictions) -> None:
    names = ["synthetic/cat/test/000007", "synthetic/ape/test/000001", "lm/000006/000009_000000"]
    other = dataclasses.replace(made, sample_id=names, object_id=np.array([6, 1, 6]))
    assert bop_images(other) == [(6, 0), (1, 0), (6, 1)]
    assert bop_images(made) == [(6, 123), (6, 124), (6, 125)]


def test_a_file_that_cannot_be_written_is_said(made: Predictions, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot write .*r\.csv: No such file or directory"):
        write_bop_results(made, tmp_path / "nowhere" / "r.csv")


def test_scene_image_and_object_are_three_numbers_and_an_invalid_pose_is_left_out(tmp_path: Path) -> None:
    T = np.concatenate([pose(turn("x", 90), (0, 0, 0.5)), pose(), pose()])
    other = dataclasses.replace(
        predictions(T, np.concatenate([pose(turn("z", 30), (9, 9, 9))] * 3)),
        sample_id=[
            "lmo/test/000002/000017_000003",
            "lmo/test/000004/000018",
            "lmo/test/000002/000019_000001",
        ],
        valid=np.array([True, False, True]),
    )
    assert write_bop_results(other, tmp_path / "r.csv") == 1
    first, second = rows(tmp_path / "r.csv")
    assert [first[name] for name in ("scene_id", "im_id", "obj_id")] == ["2", "17", "6"]
    assert [second[name] for name in ("scene_id", "im_id", "obj_id")] == ["2", "19", "6"]
    # that of the prediction, row by row: y goes to z
    np.testing.assert_allclose(
        [float(x) for x in first["R"].split()], [1, 0, 0, 0, 0, -1, 0, 1, 0], atol=1e-12
    )
    assert first["t"].split() == ["0", "0", "500"]
