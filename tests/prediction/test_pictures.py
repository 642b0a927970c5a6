"""Overlays lie on the whole picture; the picture of a posterior shows that of the estimate."""

import numpy as np
import pytest

from epropnp.prediction.pictures import overlay, posterior_picture
from tests.prediction.conftest import Shown


def test_an_overlay_changes_the_picture_around_the_object_alone(shown: Shown) -> None:
    record, picture = shown.records[0], shown.pictures[0]
    poses = shown.predictor(picture, record.K, record.box, record.object_id)
    before = picture.copy()
    drawn = overlay(poses)
    np.testing.assert_array_equal(picture, before)
    rows, columns = np.nonzero((drawn != picture).any(2))
    assert len(rows) > 100
    x, y, width, height = record.box.tolist()
    assert abs(columns.mean() - x - width / 2) < width
    assert abs(rows.mean() - y - height / 2) < height


def test_the_picture_of_a_posterior_is_that_of_the_estimate(shown: Shown) -> None:
    """Coordinates of the map, moved by the pose, land where the crop's camera sees their cells."""
    record = shown.records[3]
    view = shown.predictor.view(shown.pictures[3], record.K, record.box, record.object_id)
    estimate = shown.predictor.solve([view])[0][0]
    picture = posterior_picture(shown.predictor, view, 0)
    assert picture.crop.shape == (64, 64, 3)
    np.testing.assert_array_equal(picture.T_cam_obj, estimate.T_cam_obj)
    assert picture.log_evidence == pytest.approx(estimate.log_evidence, abs=1e-4)
    assert picture.sample_weights.sum() == pytest.approx(1, abs=1e-5)
    cells = picture.coords.shape[-1]
    points = picture.coords.reshape(3, -1).T @ record.T_cam_obj[:3, :3].T + record.T_cam_obj[:3, 3]
    pixels = points @ picture.K_crop.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    rows, columns = np.mgrid[:cells, :cells]
    centres = (np.stack([columns.ravel(), rows.ravel()], 1) + 0.5) * 64 / cells - 0.5
    trusted = picture.weights.sum(0).ravel() > 0.3 * picture.weights.sum(0).max()
    assert np.median(np.abs(pixels - centres)[trusted]) < 2
