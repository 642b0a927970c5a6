"""The pictures of a trial are drawn from its own predictions, and again when these are others."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.evaluation.pose_errors import PoseErrors, pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization import tested
from sweeps.results.pictures import draw, draw_missing
from tests.sweeps import graded

DATASET: Any = SimpleNamespace(objects=graded.objects())


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was drawn into which file, in place of the pictures."""
    found: dict[str, Any] = {}

    def save(path: Path, content: Any) -> None:
        found[str(path)] = content
        path.write_text("picture")

    def sheet(predictions: Predictions, errors: PoseErrors, dataset: Any) -> np.ndarray:
        assert dataset is DATASET
        np.testing.assert_array_equal(errors.add_m, pose_errors(predictions, DATASET.objects).add_m)
        return predictions.T_pred

    monkeypatch.setattr(tested, "prediction_sheet", sheet)
    monkeypatch.setattr(tested, "save_png", save)
    monkeypatch.setattr(tested, "save_calibration", lambda content, path: save(path, content))
    return found


def test_pictures_are_drawn_from_their_own_trial(drawn: dict[str, Any], tmp_path: Path) -> None:
    for backbone, shift_m in graded.SHIFT_M.items():
        folder = tmp_path / backbone
        graded.write(backbone, folder)
        draw(folder, DATASET)
        assert np.array_equal(drawn[str(folder / "predictions.png")], graded.predictions(backbone).T_pred)
        assert drawn[str(folder / "calibration.png")].translation_error_m == pytest.approx(shift_m)


def test_pictures_are_drawn_again_only_where_they_are_missing_or_old(
    drawn: dict[str, Any], tmp_path: Path
) -> None:
    graded.write(next(iter(graded.SHIFT_M)), tmp_path)
    draw_missing(tmp_path, DATASET)
    assert len(drawn) == 2
    drawn.clear()
    draw_missing(tmp_path, DATASET)
    assert drawn == {}
    (tmp_path / "calibration.png").unlink()
    draw_missing(tmp_path, DATASET)
    assert len(drawn) == 2
    drawn.clear()
    later = (tmp_path / "predictions.png").stat().st_mtime + 10
    os.utime(tmp_path / "predictions.parquet", (later, later))
    draw_missing(tmp_path, DATASET)
    assert len(drawn) == 2


def test_a_missing_prediction_file_is_named_with_the_result_to_delete(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        draw_missing(tmp_path, DATASET)
    assert str(tmp_path / "predictions.parquet") in str(caught.value)
    assert f"remove {tmp_path / 'result.json'} to have its test repeated" in str(caught.value)
    sweep = tmp_path.parent.parent
    assert str(caught.value).endswith(f"--resume --name {sweep.name} --out {sweep.parent}")
