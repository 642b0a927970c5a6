"""Lists of frames: what they may say, and that a bad line costs itself alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.prediction.frames import Damaged, Frame, count_lines, read_frames

K = [500.0, 0.0, 320.0, 0.0, 500.0, 240.0, 0.0, 0.0, 1.0]
LINE = {"image": "a.png", "K": K, "box": [1, 2, 30, 40]}


def written(tmp_path: Path, *lines: Any) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (tmp_path / "list.jsonl").write_text("\n".join(texts) + "\n")
    return tmp_path / "list.jsonl"


def test_all_that_a_line_may_say(tmp_path: Path) -> None:
    (tmp_path / "scene_camera.json").write_text(json.dumps({"7": {"cam_K": K}}))
    full = {
        **LINE,
        "image": "rgb/a.png",
        "K": "scene_camera.json",
        "box": [[1, 2, 30, 40], [5, 6, 7, 8]],
        "object": ["cat", 6],
        "scene_id": 2,
        "image_id": 7,
        "boxes": "whole",
        "bits": 12,
    }
    first, second = read_frames(written(tmp_path, LINE, "", full))
    assert isinstance(first, Frame)
    assert (first.line, first.image, first.objects, first.kind) == (1, tmp_path / "a.png", None, None)
    assert isinstance(second, Frame)
    assert (second.line, second.image, second.objects) == (3, tmp_path / "rgb/a.png", ["cat", 6])
    assert (second.scene_id, second.image_id, second.kind, second.bits) == (2, 7, "whole", 12)
    for frame in (first, second):
        np.testing.assert_array_equal(frame.camera.K.ravel(), K)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ([1], "is no table"),
        ({**LINE, "bbox": 1}, "unknown key 'bbox'; did you mean 'box'"),
        ({"image": "a.png", "K": K}, "has no key 'box'"),
        ({**LINE, "image": 5}, "'image' is the path of a picture, not 5"),
        ({**LINE, "K": [1, 2]}, "K: the camera needs 9 numbers"),
        ({**LINE, "K": "none.json"}, "none.json"),
        ({**LINE, "object": 1.5}, "'object' is a name or a number"),
        ({**LINE, "object": [True]}, "'object' is a name or a number"),
        ({**LINE, "boxes": "amodal"}, "'boxes' are 'visible' or 'whole'"),
        ({**LINE, "image_id": "7"}, "'image_id' is a whole number"),
    ],
)
def test_a_bad_line_costs_itself_alone(tmp_path: Path, line: Any, words: str) -> None:
    before, bad, after = read_frames(written(tmp_path, LINE, line, LINE))
    assert isinstance(before, Frame)
    assert isinstance(after, Frame)
    assert isinstance(bad, Damaged)
    assert words in bad.reason
    assert bad.line == 2


def test_lines_that_are_done_are_left_out(tmp_path: Path) -> None:
    file = written(tmp_path, LINE, LINE, LINE)
    assert [frame.line for frame in read_frames(file, skip=2)] == [3]
    assert count_lines(file) == 3


def test_a_missing_list_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.jsonl"):
        list(read_frames(tmp_path / "none.jsonl"))
