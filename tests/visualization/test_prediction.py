"""Boxes lie where the poses put them, each pose in its own colour, each tile with its own image."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import ObjectModel, Record
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.visualization import prediction
from epropnp.visualization.prediction import (
    PREDICTED_RGB,
    TRUE_RGB,
    draw_box,
    prediction_sheet,
    prediction_tile,
)
from tests.evaluation.known_errors import model, pose
from tests.visualization.test_prediction_pictures import no_errors, truth

K = np.array([[200.0, 0, 50], [0, 100, 40], [0, 0, 1]])


def box_model() -> ObjectModel:
    """2 x 4 x 0 cm about a point beside the origin."""
    made = vars(model()) | {"bounds_min": np.array([0.0, -0.02, 0]), "bounds_max": np.array([0.02, 0.02, 0])}
    return ObjectModel(**{name: made[name] for name in ObjectModel.__dataclass_fields__})


def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written into tiles from now on."""
    labels: list[str] = []
    monkeypatch.setattr(prediction.cv2, "putText", lambda image, text, *_: labels.append(text))
    return labels


def test_a_flat_box_is_a_rectangle_of_the_colour_that_is_asked_for() -> None:
    """At 0.2 m: x from 50 to 50 + 200 x 0.1, y from 40 - 100 x 0.1 to 40 + 10."""
    image = np.zeros((80, 100, 3), np.uint8)
    draw_box(image, K, pose(t=(0, 0, 0.2))[0], box_model(), (10, 200, 90))
    y, x = np.nonzero(image[..., 1] > 100)  # lines are smoothed
    assert (x.min(), x.max(), y.min(), y.max()) == (50, 70, 30, 50)
    assert not image[33:48, 53:68].any()  # nothing inside
    assert (image[30, 50:71, 1] > 100).all()
    assert (image[30:51, 70, 1] > 100).all()
    np.testing.assert_allclose(image[y, x] / image[y, x, 1:2], [[0.05, 1, 0.45]] * len(x), atol=0.02)


@pytest.mark.parametrize("z", [-0.2, np.nan])
def test_nothing_is_drawn_behind_the_camera_or_of_no_pose(z: float) -> None:
    image = np.zeros((80, 100, 3), np.uint8)
    draw_box(image, K, pose(t=(0, 0, z))[0], box_model(), (10, 200, 90))
    assert not image.any()


def test_a_tile_shows_true_and_predicted_pose_in_its_own_pixels(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pixel u of the original image is (u - origin + 1/2) scale - 1/2 of the tile."""
    dataset = ArrowDataset(tiny_dataset)
    record, drawn, labels = dataset.split("test")[1], [], written(monkeypatch)
    monkeypatch.setattr(prediction, "draw_box", lambda *args: drawn.append(args[1:]))
    cat = dataset.objects[record.object_id]
    T_pred = record.T_cam_obj.copy()
    T_pred[2, 3] += 0.25 * cat.diameter_m
    tile = prediction_tile(record, T_pred, cat, 0.25)
    assert tile.shape == (224, 224, 3)
    (K_true, T_true, _, true_colour), (K_pred, T_drawn, _, colour) = drawn
    assert (true_colour, colour) == (TRUE_RGB, PREDICTED_RGB)
    np.testing.assert_array_equal(T_true, record.T_cam_obj)
    np.testing.assert_array_equal(T_drawn, T_pred)
    assert labels == ["0.250 d"]
    ray = record.T_cam_obj[:3, 3]
    original = (record.K @ ray)[:2] / ray[2]
    expected = (original - record.crop_origin + 0.5) * 224 / record.rgb.shape[0] - 0.5
    for matrix in (K_true, K_pred):
        np.testing.assert_allclose((matrix @ ray)[:2] / ray[2], expected, atol=1e-9)


def test_a_symmetric_object_that_is_turned_onto_itself_is_right(
    tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a turn about z maps the four points onto themselves; only of the cat it is an error."""
    dataset, labels = ArrowDataset(tiny_dataset), written(monkeypatch)
    predictions = truth(dataset)
    turned = replace(predictions, T_pred=predictions.T_true @ np.diag([-1.0, -1, 1, 1]))
    for symmetric in (True, False):
        objects = dict.fromkeys(dataset.objects, model(symmetric=symmetric))
        prediction_sheet(turned, pose_errors(turned, objects), dataset, rows=1, columns=1)
    assert labels == ["0.000 d", "1.000 d"]


def test_a_sheet_walks_evenly_through_the_split(tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = ArrowDataset(tiny_dataset)
    predictions, seen = truth(dataset), list[str]()
    predictions.T_pred[:, 0, 3] += np.arange(12)

    def tile(record: Record, T_pred: np.ndarray, *_: Any) -> np.ndarray:
        seen.append(record.sample_id)
        return np.full((2, 2, 3), round(T_pred[0, 3] - record.T_cam_obj[0, 3]), np.uint8)

    monkeypatch.setattr(prediction, "prediction_tile", tile)
    sheet = prediction_sheet(predictions, no_errors(dataset), dataset, rows=2, columns=3)
    chosen = [0, 2, 4, 6, 8, 11]
    assert seen == [predictions.sample_id[i] for i in chosen]
    assert sheet[::2, ::2, 0].tolist() == [chosen[:3], chosen[3:]]
