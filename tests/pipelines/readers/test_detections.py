"""A detector's boxes find their instances."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from pipelines.building.build import BuildConfig, build
from pipelines.building.plan import plan_dataset
from pipelines.readers.bop import BopFolder
from pipelines.readers.detections import Detections
from tests.pipelines.folders import bop_files, cdpn_files, write_files


def entry(scene: int, image: int, thing: int, box: list[float], score: float) -> dict[str, Any]:
    return {
        "scene_id": scene,
        "image_id": image,
        "category_id": thing,
        "bbox": box,
        "score": score,
        "time": 0.1,
    }


def write(folder: Path, content: Any) -> Path:
    file = folder / "detections.json"
    file.write_text(json.dumps(content))
    return file


def test_the_best_box_is_taken_and_of_several_the_nearest(tmp_path: Path) -> None:
    entries = [
        entry(2, 0, 1, [0, 0, 10, 10], 0.3),
        entry(2, 0, 1, [30, 20, 10, 10], 0.9),
        entry(2, 0, 1, [60, 20, 10.5, 10], 0.8),
        entry(2, 1, 1, [1, 2, 3, 4], 0.1),
    ]
    found = Detections(write(tmp_path, entries))
    at = np.array([3.0, 3.0])  # in the worst box
    assert found.box(2, 0, 1, 1, at) == (30, 20, 10, 10)
    assert found.box(2, 0, 1, 2, np.array([64.0, 25.0])) == (60, 20, 10.5, 10)
    assert found.box(2, 0, 1, 3, at) == (0, 0, 10, 10)
    assert found.box(2, 1, 1, 5, at) == (1, 2, 3, 4)
    for missing in ((1, 0, 1), (2, 2, 1), (2, 0, 7)):
        assert found.box(*missing, 1, at) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "is no list of detections"),
        ([{"scene_id": 1}], "entry 0 has no key 'image_id'"),
        ([entry(1, 2, 3, [0, 0, 0, 5], 0.5)], "entry 0 has a bbox of 0 x 5 pixels"),
        ([entry(1, 2, 3, [0, 0, 5], 0.5)], "entry 0 needs 4 numbers under 'bbox'"),
        ([entry(1, 2, 3, [0, 0, 5, 5], 0.5) | {"score": None}], "entry 0 needs 1 number under 'score'"),
    ],
)
def test_what_is_no_list_of_boxes_is_refused(content: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"detections\.json") as caught:
        Detections(write(tmp_path, content))
    assert words in str(caught.value)


def test_only_test_frames_get_them_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    root = write_files(bop_files(), tmp_path / "set")
    file = write(tmp_path, [entry(2, 0, 7, [1, 2, 30, 20], 0.9), entry(1, 0, 7, [9, 9, 9, 9], 0.9)])
    folder = BopFolder(root, detections=file)
    found = folder.frames(folder.objects()["obj_000007"])
    assert [frame.detected_box for frame in found.by_split["test"]] == [(1, 2, 30, 20), None]
    assert {frame.detected_box for frame in found.by_split["train"]} == {None}
    assert found.notes["test pictures in which the detector found nothing"] == 1


def test_boxes_are_records_and_decide_the_id(tmp_path: Path) -> None:
    root = write_files(bop_files(), tmp_path / "set")
    names = ("obj_000007",)
    plain = BuildConfig(objects=names, source=root, train=0, background_count=1, accept_geometry=True)
    ids = {plan_dataset(plain, tmp_path / "data").dataset_id}
    for width in (30, 31):
        file = write(tmp_path, [entry(2, image, 7, [1, 2, width, 20], 0.9) for image in (0, 1)])
        config = BuildConfig(
            objects=names,
            source=root,
            train=0,
            background_count=1,
            accept_geometry=True,
            detections=file,
        )
        path = build(config, tmp_path / "data", workers=1, progress=False)
        ids.add(path.name)
        boxes = [record.detected_box for record in ArrowDataset(path).split("test")]
        np.testing.assert_array_equal(boxes, [[1, 2, width, 20]] * 2)
    assert len(ids) == 3


def test_only_the_bop_layout_takes_a_file(tmp_path: Path) -> None:
    cdpn = write_files(cdpn_files(), tmp_path / "cdpn")
    file = write(tmp_path, [])
    for source, words in ((cdpn, "has detected boxes in files of its own"), (None, "give the source, too")):
        config = BuildConfig(objects=("cat",), source=source, detections=file)
        with pytest.raises(UserError, match=words):
            plan_dataset(config, tmp_path / "data")
