"""How much of an object an image shows, against areas that are known."""

import numpy as np
import pytest

from epropnp.data.schema import ObjectModel, Record
from epropnp.data.visible import visible_share

F, RADIUS, DISTANCE = 500.0, 0.05, 0.6


def ball(count: int) -> ObjectModel:
    """Points spread over a sphere, twice as dense in its upper half."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(count, 3))
    points *= RADIUS / np.linalg.norm(points, axis=1, keepdims=True)
    points = np.concatenate([points, np.abs(points[: count // 2]) * [1, 1, -1]]).astype(np.float32)
    return ObjectModel(
        object_id=1,
        name="ball",
        diameter_m=2 * RADIUS,
        bounds_min=np.full(3, -RADIUS),
        bounds_max=np.full(3, RADIUS),
        symmetric=True,
        symmetries=np.eye(4)[None],
        points=points,
    )


def record(visible: np.ndarray, centre_px: float = 150.0) -> Record:
    """A ball in the middle of a picture of 300 x 300 px, of which `visible` (300, 300) may be seen."""
    T = np.eye(4)
    T[:3, 3] = (centre_px - 150) / F * DISTANCE, 0, DISTANCE
    y, x = np.mgrid[:300, :300]
    radius = F * RADIUS / np.sqrt(DISTANCE**2 - RADIUS**2)
    mask = (np.hypot(x - centre_px, y - 150) <= radius) & visible
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]
    return Record(
        object_id=1,
        sample_id="a",
        synthetic=True,
        K=np.array([[F, 0, 150], [0, F, 150], [0, 0, 1]]),
        T_cam_obj=T,
        box=np.array(box, np.float32),
        image_size=np.array([300, 300], np.int32),
        crop_origin=np.zeros(2, np.int32),
        rgb=np.zeros((1, 1, 3), np.uint8),
        map_origin=np.array(box[:2], np.int32),
        mask=mask[box[1] : box[1] + box[3], box[0] : box[0] + box[2]].astype(np.uint8) * np.uint8(255),
        coords=np.zeros((box[3], box[2], 3), np.uint16),
    )


@pytest.mark.parametrize("count", [3000, 60_000])
def test_of_half_a_disc_half_is_visible(count: int) -> None:
    everything = np.ones((300, 300), bool)
    assert visible_share(record(everything), ball(count)) == 1
    left = everything.copy()
    left[:, 150:] = False
    assert visible_share(record(left), ball(count)) == pytest.approx(0.5, abs=0.04)
    below = everything.copy()
    below[:150] = False
    assert visible_share(record(below), ball(count)) == pytest.approx(0.5, abs=0.04)
    hole = everything.copy()
    hole[140:160, 140:160] = False  # 400 of pi 41.8^2 px
    assert visible_share(record(hole), ball(count)) == pytest.approx(1 - 400 / (np.pi * 41.8**2), abs=0.03)


def test_what_lies_outside_of_the_picture_is_not_visible() -> None:
    assert visible_share(record(np.ones((300, 300), bool), centre_px=0.0), ball(20_000)) == pytest.approx(
        0.5, abs=0.04
    )
