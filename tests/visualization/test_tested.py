"""A test leaves its two pictures, of its own images and poses."""

from pathlib import Path

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.visualization.prediction import prediction_sheet
from epropnp.visualization.tested import draw_tested
from tests.pictures import picture_in
from tests.visualization.test_prediction_pictures import no_errors, truth


def test_it_leaves_the_sheet_and_the_calibration(tiny_dataset: Path, tmp_path: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    draw_tested(truth(dataset), no_errors(dataset), dataset, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"predictions.png", "calibration.png"}
    sheet = prediction_sheet(truth(dataset), no_errors(dataset), dataset)
    np.testing.assert_array_equal(picture_in(tmp_path / "predictions.png")[..., ::-1], sheet)


def test_a_folder_that_is_gone_is_said(tiny_dataset: Path, tmp_path: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    with pytest.raises(UserError, match=r"cannot write .*gone/predictions.png"):
        draw_tested(truth(dataset), no_errors(dataset), dataset, tmp_path / "gone")
