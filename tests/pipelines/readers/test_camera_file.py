"""A camera is read as BOP or OpenCV users write it, and refused where something is missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.readers.camera_file import read_camera

SIZE = {"width": 640, "height": 480}
K = [[500.0, 0.0, 320.5], [0.0, 501.0, 240.25], [0.0, 0.0, 1.0]]


def write(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "camera.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize(
    "content",
    [
        {"fx": 500.0, "fy": 501.0, "cx": 320.5, "cy": 240.25, "depth_scale": 0.1, **SIZE},
        {"K": K, **SIZE},
        {"cam_K": [value for row in K for value in row], **SIZE},
    ],
)
def test_three_ways_to_write_one_camera(content: Any, tmp_path: Path) -> None:
    camera = read_camera(write(tmp_path, content))
    np.testing.assert_array_equal(camera.K, K)
    assert camera.image_size == (640, 480)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ([1, 2], "needs 9 numbers under 'K'"),
        ({"K": K}, "has no key 'width'"),
        ({"fx": 500.0, **SIZE}, "has no key 'fy'"),
        ({"K": K[:2], **SIZE}, "needs 9 numbers under 'K'"),
        ({"K": np.transpose(K).tolist(), **SIZE}, "has no camera matrix"),
        ({"K": K, "width": 640.5, "height": 480}, "not whole pixels"),
        ({"fx": -1, "fy": 1, "cx": 0, "cy": 0, **SIZE}, "has no camera matrix"),
    ],
)
def test_what_is_no_camera_is_refused(content: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)) as caught:
        read_camera(write(tmp_path, content))
    assert words in str(caught.value)


def test_a_missing_file_is_named_with_what_it_is_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json, which says the camera of renderings"):
        read_camera(tmp_path / "none.json")
