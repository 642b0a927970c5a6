"""Requests as JSON: the poses are those of the picture's file; what is wrong is one line."""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.inference.model import load_model
from epropnp.prediction.pose_predictor import PosePredictor
from epropnp.prediction.requests import answers
from tests.inference.untrained import write_untrained
from tests.prediction.conftest import Shown

CONTENT = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))[1].tobytes()
K = [60.0, 0, 31.5, 0, 60, 23.5, 0, 0, 1]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> PosePredictor:
    return PosePredictor(load_model(write_untrained(tmp_path_factory.mktemp("net") / "best.pt")), samples=16)


def request(**more: Any) -> dict[str, Any]:
    return {"image": base64.b64encode(CONTENT).decode(), "K": K, "box": [10, 8, 30, 30], **more}


def test_rows_are_those_of_the_picture_s_file(shown: Shown, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    cv2.imwrite(str(file), shown.pictures[0][..., ::-1])
    record = shown.records[0]
    asked = {
        "image": base64.b64encode(file.read_bytes()).decode(),
        "K": record.K.ravel().tolist(),
        "box": [record.box.tolist()] * 2,
        "object": [record.object_id] * 2,
    }
    one = {**asked, "box": record.box.tolist(), "object": float(record.object_id)}  # as in a table of numbers
    found = answers(shown.predictor, [asked, one])
    assert [(row["request"], row["box"], row["of"]) for row in found] == [(1, 1, 2), (1, 2, 2), (2, 1, 1)]
    (wanted,) = shown.predictor(file, record.K, record.box, record.object_id)
    for row in found:
        assert row.keys() >= wanted.row().keys()
        assert (row["object"], row["given_box"]) == (wanted.object, wanted.box.tolist())
        np.testing.assert_allclose(row["T_cam_obj"], wanted.T_cam_obj, atol=1e-5)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    "camera",
    [
        [K[:3], K[3:6], K[6:]],
        {"cam_K": K},
        {"fx": 60, "fy": 60, "cx": 31.5, "cy": 23.5, "width": 64, "height": 48},
        json.dumps({"fx": 60, "fy": 60, "cx": 31.5, "cy": 23.5}),
        [round(value, 1) for value in K],
    ],
)
def test_a_camera_in_any_form_is_the_same(predictor: PosePredictor, camera: Any) -> None:
    assert answers(predictor, [request(K=camera)]) == answers(predictor, [request()])


def test_base64_may_have_lines(predictor: PosePredictor) -> None:
    text = base64.encodebytes(CONTENT).decode()
    assert "\n" in text.strip()
    assert answers(predictor, [request(image=text)]) == answers(predictor, [request()])


def test_what_is_to_be_minded_is_noted(predictor: PosePredictor) -> None:
    """As in the file of poses."""
    turned = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    turned = turned[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + turned[2:]
    off = [60.0, 0, 310.0, 0, 60, 23.5, 0, 0, 1]
    (row,) = answers(predictor, [request(image=base64.b64encode(turned).decode(), K=off)])
    assert "the principal point (310.0, 23.5) lies far from the middle" in row["notes"][0]
    assert "EXIF orientation is not applied" in row["notes"][1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"image": "kitchen.png"}, "image: expected the content of a picture's file as text in base64"),
        ({"image": 3}, "image: expected the content"),
        ({"image": "/etc/passwd"}, "image: expected the content"),
        ({"image": "äöü="}, "image: expected the content"),
        ({"image": ""}, "image is not a readable picture"),
        ({"image": base64.b64encode(CONTENT[:200]).decode()}, "image is not a readable picture"),
        ({"image": base64.b64encode(b"no picture").decode()}, "image is not a readable picture"),
        ({"image": None}, "has no key 'image'"),
        ({"K": K[:8]}, "K: the camera needs 9 numbers under 'K'"),
        ({"K": "K.json"}, "K: expected 9 numbers, or a table, as JSON"),
        ({"K": 3}, "K is no camera: it needs K or cam_K"),
        ({"K": {"cam_K": K, "k1": 0.1}}, "undistort the picture first"),
        ({"K": {"cam_K": K, "width": 640, "height": 480}}, "is that of pictures of 640 x 480 pixels"),
        ({"box": [1, 2, 3]}, "box: expected four numbers"),
        ({"box": ["1", "2", "3", "4"]}, "box: expected four numbers"),
        ({"box": [True, 2, 30, 40]}, "box: expected four numbers"),
        ({"box": []}, "box: expected four numbers"),
        ({"box": [[1, 2, 30, 40], [1, 2]]}, "box: expected four numbers"),
        ({"box": {"x": 1}}, "box: expected four numbers"),
        ({"box": [1, 2, 0, 40]}, "at least 2 x 2 are needed"),
        ({"object": "cow"}, "objects: the network does not know 'cow'"),
        ({"object": 7}, "objects: the network does not know 7"),
        ({"object": 3.5}, "'object' is a name or a number"),
        ({"object": ["hook", "hook"]}, "objects: 2 are named for 1 crops"),
        ({"boxes": 3}, "has an unknown key 'boxes'; did you mean 'box'?"),
    ],
)
def test_what_is_wrong_is_one_line(predictor: PosePredictor, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        answers(predictor, [request(), request(**wrong)])
    assert str(caught.value).startswith("request 2: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_request_is_a_table_and_there_is_at_least_one(predictor: PosePredictor) -> None:
    with pytest.raises(UserError, match="request 1: is no table with the keys image, K, box"):
        answers(predictor, ["kitchen.png"])
    with pytest.raises(UserError, match="there is no request"):
        answers(predictor, [])
