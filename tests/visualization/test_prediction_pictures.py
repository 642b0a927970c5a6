"""Pictures of predictions show what they claim: the true box lies on the object."""

from pathlib import Path

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.pose_errors import PoseErrors, pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.prediction import PREDICTED_RGB, draw_box, prediction_sheet, save_png
from tests.pictures import picture_in


def truth(dataset: ArrowDataset) -> Predictions:
    records = list(dataset.split("test"))
    poses = np.stack([r.T_cam_obj for r in records])
    return Predictions(
        sample_id=[r.sample_id for r in records],
        object_id=np.array([r.object_id for r in records]),
        T_pred=poses,
        T_true=poses,
        K=np.stack([r.K for r in records]),
        image_size=np.stack([r.image_size for r in records]),
        crop=np.zeros((len(records), 3)),
        covariance=np.zeros((len(records), 6, 6)),
        cost=np.zeros(len(records)),
        valid=np.ones(len(records), bool),
    )


def no_errors(dataset: ArrowDataset) -> PoseErrors:
    return pose_errors(truth(dataset), dataset.objects)


def test_the_box_of_the_true_pose_encloses_the_mask(tiny_dataset: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    for record in dataset.split("test"):
        canvas = np.zeros((480, 640, 3), np.uint8)
        draw_box(canvas, record.K, record.T_cam_obj, dataset.objects[record.object_id], PREDICTED_RGB)
        y, x = np.nonzero(canvas.any(2))
        left, top, width, height = record.box
        assert x.min() <= left + 1
        assert y.min() <= top + 1
        assert x.max() >= left + width - 2
        assert y.max() >= top + height - 2


def test_sheet_of_predictions(tiny_dataset: Path, tmp_path: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    sheet = prediction_sheet(truth(dataset), no_errors(dataset), dataset, rows=2, columns=3)
    assert sheet.shape == (2 * 224, 3 * 224, 3)
    save_png(tmp_path / "sheet.png", sheet)
    assert np.array_equal(picture_in(tmp_path / "sheet.png")[..., ::-1], sheet)


def test_predictions_of_another_dataset_are_refused(tiny_dataset: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    predictions = truth(dataset)
    predictions.sample_id[0] = "another"
    with pytest.raises(UserError, match="not of the test split"):
        prediction_sheet(predictions, no_errors(dataset), dataset)
