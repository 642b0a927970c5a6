"""K belongs to its pictures: every way to write it down, other sizes, distortion, principal points."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.data.cameras import camera_of, read_camera
from epropnp.errors import UserError

K = [[572.4, 0.0, 325.3], [0.0, 573.6, 242.0], [0.0, 0.0, 1.0]]
FLAT = [value for row in K for value in row]
FOUR = {"fx": 572.4, "fy": 573.6, "cx": 325.3, "cy": 242.0}
SIZE = {"width": 640, "height": 480}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (K, None),
        (FLAT, None),
        ({"K": K}, None),
        ({"cam_K": FLAT, "depth_scale": 1.0}, None),
        ({**FOUR, **SIZE, "depth_scale": 0.1}, (640, 480)),
        ({"12": {"cam_K": FLAT}, "13": {"cam_K": [1.0] * 9}}, None),
        ({"000012": {"cam_K": FLAT, **SIZE}}, (640, 480)),
        (
            {"camera_matrix": {"rows": 3, "cols": 3, "data": FLAT}, "image_width": 640, "image_height": 480},
            (640, 480),
        ),
        ({"K": K, "distortion_model": "plumb_bob", "D": [0.0] * 5, "dist_coeffs": None}, None),
        ({"K": K, "k1": 0, "p1": 0.0, "distortion_coefficients": {"rows": 1, "data": [0, 0]}}, None),
    ],
)
def test_all_ways_to_write_one_camera(value: Any, size: tuple[int, int] | None, tmp_path: Path) -> None:
    (tmp_path / "camera.json").write_text(json.dumps(value))
    for camera in (read_camera(tmp_path / "camera.json", 12), camera_of(value, "request", 12)):
        np.testing.assert_array_equal(camera.K, K)
        assert camera.size == size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("K", "is no camera: it needs K or cam_K"),
        ({}, "is no camera: it needs K or cam_K"),
        ({"fx": 1.0, "fy": 1.0, "cx": 0.0}, "has no key 'cy'"),
        (np.transpose(K).tolist(), "has no camera matrix, row by row"),
        (FLAT[:8], "needs 9 numbers"),
        ([*FLAT[:8], None], "needs 9 numbers"),
        ({"K": K, "width": 640}, "has no key 'height'"),
        ({"K": K, "width": 0, "height": 480}, "not whole pixels"),
        ({"12": {"cam_K": FLAT}}, "cameras of 1 images: give the image id, too"),
        ({"K": K, "dist_coeffs": [0.1, 0, 0, 0, 0]}, "distortion .dist_coeffs.*undistort the picture first"),
        ({"K": K, "D": [0, 0, 1e-4]}, "distortion .D"),
        ({"K": K, "k1": -0.2}, "distortion .k1"),
        ({"K": K, "distortion": {"k1": 0.0, "k2": 0.01}}, "distortion"),
        (
            {"camera_matrix": K, "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1]}},
            "distortion",
        ),
    ],
)
def test_what_is_no_pinhole_camera_is_refused(value: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        camera_of(value, "camera.json")


def test_an_image_without_a_camera_is_named() -> None:
    with pytest.raises(UserError, match="has no camera of image 3"):
        camera_of({"12": {"cam_K": FLAT}}, "scene_camera.json", 3)


def test_another_size_is_refused_with_the_camera_of_the_resized_picture() -> None:
    """The K that is named maps a point to where cv2.resize puts its pixel, centres at whole numbers."""
    camera = camera_of({"K": K, **SIZE}, "camera.json")
    assert camera.of_picture((640, 480)) == []
    with pytest.raises(UserError) as raised:
        camera.of_picture((320, 120))
    text = str(raised.value)
    assert "640 x 480" in text
    assert "320 x 120" in text
    scaled = np.array(json.loads(text.partition("its K is ")[2].partition("; if")[0]))
    point = np.array([0.05, -0.04, 0.8])
    picture = np.zeros((480, 640), np.float32)
    x, y = ((np.array(K) @ point)[:2] / point[2]).tolist()
    picture[round(y) - 8 : round(y) + 9, round(x) - 8 : round(x) + 9] = 1
    small = cv2.resize(picture, (320, 120), interpolation=cv2.INTER_AREA)
    rows, columns = np.mgrid[:120, :320]
    middle = np.array([(columns * small).sum(), (rows * small).sum()]) / small.sum()
    found = (scaled @ point)[:2] / point[2]
    offset = np.array([x - round(x), y - round(y)]) * [0.5, 0.25]
    np.testing.assert_allclose(found - offset, middle, atol=0.03)


def test_a_principal_point_far_from_the_middle_is_noted() -> None:
    cut_out = np.array(K) - [[0, 0, 320], [0, 0, 240], [0, 0, 0]]
    (note,) = camera_of(cut_out.tolist(), "K").of_picture((320, 240))
    assert "principal point (5.3, 2.0) lies far from the middle of the 320 x 240 picture" in note
    assert camera_of(K, "K").of_picture((640, 480)) == []
