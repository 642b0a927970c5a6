"""Half pixels of the tiles: boxes are drawn where the picture beneath them, enlarged or shrunk, has them."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from epropnp.visualization import prediction
from tests.data.sets import make_model, make_record


@pytest.mark.parametrize(("side", "zoom"), [(448, 0.5), (224, 1.0), (112, 2.0)])
def test_a_tile_moves_camera_and_picture_alike(
    side: int, zoom: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixel 40.5 of the crop, an edge between two, lies at (40.5 + 1/2) zoom - 1/2 of the tile."""
    drawn: list[tuple[np.ndarray, np.ndarray, tuple[int, ...]]] = []

    def note(
        image: np.ndarray, K: np.ndarray, T: np.ndarray, model: Any, colour: tuple[int, int, int]
    ) -> None:
        drawn.append((K, T, colour))

    monkeypatch.setattr(prediction, "draw_box", note)
    rgb = np.zeros((side, side, 3), np.uint8)
    rgb[41:, 41:] = 255
    K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])
    T = np.eye(4)
    T[:3, 3] = (140.5 - 320) / 500, (110.5 - 240) / 500, 1  # projects to (140.5, 110.5)
    T_pred = T.copy()
    T_pred[2, 3] = 1.1
    record = dataclasses.replace(make_record(0), rgb=rgb, crop_origin=np.array([100, 70]), K=K, T_cam_obj=T)
    tile = prediction.prediction_tile(record, T_pred, make_model(), 0.1)
    (K_true, T_true, green), (K_pred, found, red) = drawn
    assert (green, red) == ((60, 220, 60), (255, 70, 50))
    np.testing.assert_array_equal(T_true, T)
    np.testing.assert_array_equal(found, T_pred)
    np.testing.assert_array_equal(K_true, K_pred)
    pixel = K_true @ T[:3, 3]
    expected = 41 * zoom - 0.5
    np.testing.assert_allclose(pixel[:2] / pixel[2], [expected, expected], atol=1e-9)
    # In the picture, too: the step is at that edge.
    line = tile[150].astype(float).mean(axis=-1)
    assert (line[: int(expected)] == 0).all()
    assert (line[int(expected) + 2 :] == 255).all()
    assert line[int(expected) : int(expected) + 2].sum() == pytest.approx(255 * (1.5 - expected % 1), abs=1)
