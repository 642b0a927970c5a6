"""Poses for whoever has no file to name: requests as tables of JSON, whose pictures are text.

    {"image": "iVBORw0KGgoAAAANSUhEUgAA...", "K": [572.4, 0, 325.3, 0, 573.6, 242.0, 0, 0, 1],
     "box": [[310, 200, 96, 120]], "object": ["cat"]}

`image` is the content of a picture's file in base64, never a path. `K` is a matrix, its 9 numbers row by row,
or a table as in BOP's `camera.json`; `box` and `object` are as in `frames`.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from epropnp.data.cameras import GivenCamera, camera_of
from epropnp.data.pictures import is_turned, picture_of
from epropnp.errors import UserError
from epropnp.prediction.frames import NEEDED, check_keys, objects_of
from epropnp.prediction.pose_predictor import PosePredictor, View
from epropnp.prediction.stream import doubts, picture_notes

KEYS = (*NEEDED, "object")


def answers(predictor: PosePredictor, requests: Sequence[Any]) -> list[dict[str, Any]]:
    """A row as in `poses.jsonl` for each box, which says the number of its request, from 1.

    Raises:
        UserError: what is wrong with a request, of which none is answered then.
    """
    if not requests:
        raise UserError(f"there is no request: give at least one, with {', '.join(NEEDED)}")
    asked = []
    for number, request in enumerate(requests, 1):
        try:
            asked.append(_view(predictor, request))
        except UserError as error:
            raise UserError(f"request {number}: {error}") from None
    rows = []
    for number, ((_, notes), poses) in enumerate(
        zip(asked, predictor.solve([view for view, _ in asked]), strict=True), 1
    ):
        said = [*notes, *doubts(poses)]
        noted = {"notes": said} if said else {}
        for box, estimate in enumerate(poses, 1):
            rows.append({"request": number, "box": box, "of": len(poses), **estimate.row(), **noted})
    return rows


def _view(predictor: PosePredictor, request: Any) -> tuple[View, list[str]]:
    """The picture of a request with its objects, and what there is to say of it."""
    check_keys(request, KEYS)
    content = _content(request["image"])
    picture = picture_of(content, "image")
    camera = _camera(request["K"])
    notes = picture_notes(picture, camera, is_turned(content))
    boxes = request["box"]
    if not _is_numbers(boxes):
        raise UserError("box: expected four numbers x, y, w, h in pixels, or a list of such")
    return predictor.view(picture, camera.K, boxes, _objects(request.get("object"))), notes


def _content(text: Any) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise UserError("image: expected the content of a picture's file as text in base64")


def _camera(value: Any) -> GivenCamera:
    """UserError where it is none, or that of several images."""
    if isinstance(value, str):  # a table as text
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise UserError("K: expected 9 numbers, or a table, as JSON") from None
    return camera_of(value, "K")


def _is_numbers(value: Any) -> bool:
    """Whether these are lists of numbers, and nothing that numpy takes for numbers, such as text."""
    if isinstance(value, list):
        return all(map(_is_numbers, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _objects(value: Any) -> list[str | int] | str | int | None:
    """Ids are whole numbers, also where a table of numbers has made them 3.0."""

    def whole(each: Any) -> Any:
        return int(each) if isinstance(each, float) and each.is_integer() else each

    return objects_of([whole(each) for each in value] if isinstance(value, list) else whole(value))
