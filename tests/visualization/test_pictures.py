"""Pictures show what they claim: the true box lies on the object, curves are readable files."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.comparison import compare
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.comparison import Curves, save_comparison, save_curves
from epropnp.visualization.prediction import PREDICTED_RGB, draw_box, prediction_sheet, save_png


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
    sheet = prediction_sheet(truth(dataset), dataset, rows=2, columns=3)
    assert sheet.shape == (2 * 224, 3 * 224, 3)
    save_png(tmp_path / "sheet.png", sheet)
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], sheet)


def test_predictions_of_another_dataset_are_refused(tiny_dataset: Path) -> None:
    dataset = ArrowDataset(tiny_dataset)
    predictions = truth(dataset)
    predictions.sample_id[0] = "another"
    with pytest.raises(UserError, match="not of the test split"):
        prediction_sheet(predictions, dataset)


def test_curves_are_drawn(tmp_path: Path) -> None:
    save_curves({"a": Curves(loss=[1, 0.5], accuracy=[0, 10, 40])}, tmp_path / "curves.png")
    assert cv2.imread(str(tmp_path / "curves.png")).shape[0] > 100


@pytest.mark.parametrize(("settings", "seeds"), [(1, 1), (2, 2), (12, 3)])
def test_the_picture_of_a_comparison_grows_with_its_settings(
    settings: int, seeds: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    trials = {f"backbone{k} deconv": 100.0 * (rng.random((seeds, 50)) < 0.05 * k) for k in range(settings)}
    save_comparison(compare(trials, np.zeros(50), resamples=50), "ADD(-S) 0.10d", tmp_path / "s.png")
    height, width, _ = cv2.imread(str(tmp_path / "s.png")).shape
    assert width == 12 * 120
    assert height == pytest.approx(120 * (1.6 + 0.45 * max(settings, 2)), abs=2)
