"""Errors by condition: poses whose distance and elevation are plain, bins that can be counted."""

import numpy as np

from epropnp.visualization.conditions import Condition, bins_of, distance_m, draw_conditions, elevation_deg
from epropnp.visualization.palette import Palette


def test_a_camera_on_the_objects_z_axis_looks_from_above() -> None:
    facing = np.diag([1.0, -1.0, -1.0, 1.0])  # the object's z axis points at the camera
    facing[2, 3] = 2
    upright = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 3], [0, 0, 0, 1]])
    found = np.stack([facing, upright])
    np.testing.assert_allclose(distance_m(found), [2, 3])
    np.testing.assert_allclose(elevation_deg(found), [90, 0], atol=1e-6)


def test_bins_hold_equally_many_and_each_image_once() -> None:
    values = np.random.default_rng(0).permutation(50)
    parts = bins_of(values)
    assert [len(part) for part in parts] == [10] * 5
    assert np.concatenate([values[part] for part in parts]).tolist() == list(range(50))


def test_images_of_one_value_are_in_one_bin() -> None:
    values = np.concatenate([np.ones(180), np.linspace(0.4, 0.99, 120)])  # most of them are seen whole
    parts = [np.sort(values[part]) for part in bins_of(values)]
    assert [len(part) for part in parts] == [50, 50, 20, 180]
    assert set(parts[-1]) == {1.0}
    assert np.concatenate(parts).tolist() == np.sort(values).tolist()
    assert [len(part) for part in bins_of(np.ones(40))] == [40]


def test_points_are_medians_in_percent_where_nan_is_worst() -> None:
    errors = np.full((2, 20), 0.04)
    errors[:, 10:] = 0.08
    errors[0, 10:13] = np.nan
    distance = Condition(word="distance", title="m", values=np.arange(20.0))
    line = draw_conditions({"a": errors}, [distance], Palette(["a"])).axes[0].lines[0]
    np.testing.assert_allclose(np.asarray(line.get_xydata()), [[4.5, 4], [14.5, 8]])
