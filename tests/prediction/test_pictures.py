"""Overlays lie on the whole picture."""

import numpy as np

from epropnp.prediction.pictures import overlay
from tests.prediction.conftest import Shown


def test_an_overlay_changes_the_picture_around_the_object_alone(shown: Shown) -> None:
    record, picture = shown.records[0], shown.pictures[0]
    poses = shown.predictor(picture, record.K, record.box, record.object_id)
    before = picture.copy()
    drawn = overlay(picture, record.K, poses, shown.predictor.model.objects)
    np.testing.assert_array_equal(picture, before)
    rows, columns = np.nonzero((drawn != picture).any(2))
    assert len(rows) > 100
    x, y, width, height = record.box.tolist()
    assert abs(columns.mean() - x - width / 2) < width
    assert abs(rows.mean() - y - height / 2) < height
