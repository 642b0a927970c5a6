"""A single training ends with the scores that its files give, and with pictures of its own."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.training import report
from epropnp.training.report import draw_training, scores_of_test
from tests.evaluation.known_errors import model, pose, predictions
from tests.visualization.test_prediction_pictures import truth


def test_scores_are_those_of_the_file_of_predictions(tmp_path: Path) -> None:
    """Three of four images lie 1 mm off, one 1 m: of a diameter of centimetres."""
    T_true = np.concatenate([pose()] * 4)
    T_pred = np.concatenate([*[pose(t=(0.001, 0, 1))] * 3, pose(t=(1, 0, 1))])
    replace(predictions(T_pred, T_true), objects={6: model()}).write(tmp_path / "predictions.parquet")
    table = scores_of_test(tmp_path)
    row = next(row for row in table.rows if row[0] == "add_0.10d")
    assert str(row[-1]).startswith("75.0 [")
    assert [row[0] for row in table.rows] == list(report.SHOWN)


def test_curves_are_the_results_and_whatever_lies_there_is_listed(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset: Any = ArrowDataset(tiny_dataset)
    result: Any = SimpleNamespace(backbone="a", head="b", train_loss=[3.0, 2.0], val_add=[0.0, 5.0, 10.0])
    replace(truth(dataset), objects=dataset.objects).write(tmp_path / "predictions.parquet")
    drawn = []
    draw_curves = report.draw_curves

    def watched(*args: Any) -> Any:
        drawn.append(args)
        return draw_curves(*args)

    monkeypatch.setattr(report, "draw_curves", watched)
    files = draw_training(result, dataset, tmp_path)
    assert [file.name for file in files] == ["predictions.png", "calibration.png", "curves.png"]
    ((settings, palette),) = drawn
    assert list(settings) == list(palette.ranked) == ["a + b"]
    ((curves,),) = settings.values()
    assert (curves.loss, curves.accuracy) == ([3.0, 2.0], [0.0, 5.0, 10.0])
