"""A BOP folder as a list of frames: cameras, boxes of both kinds or a detector's, and what is left out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.prediction.frames import Frame, read_frames
from pipelines.readers.frame_list import find_scenes, write_frame_list
from pipelines.readers.masks import read_mask
from pipelines.rendering.records import mask_box
from tests.pipelines.folders import K, bop_files, write_files

WHOLE = [3, 4, 50, 60]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The BOP set, whose tables state boxes: of the visible part what the masks say."""
    root = write_files(bop_files(), tmp_path / "set")
    for file in root.glob("*/*/scene_gt_info.json"):
        table = json.loads(file.read_text())
        for image, entries in table.items():
            for number, entry in enumerate(entries):
                mask = read_mask(file.parent / "mask_visib" / f"{int(image):06d}_{number:06d}.png")
                entry["bbox_visib"] = mask_box(mask) if mask.any() else [-1, -1, -1, -1]
                entry["bbox_obj"] = WHOLE
        file.write_text(json.dumps(table))
    return root


def listed(root: Path, output: Path, **settings: Any) -> tuple[list[Frame], dict[str, int]]:
    notes = write_frame_list(root, output, **settings)
    frames = list(read_frames(output))
    assert all(isinstance(frame, Frame) for frame in frames)
    return frames, notes  # type: ignore[return-value]


def test_all_test_pictures_with_their_visible_boxes(root: Path, tmp_path: Path) -> None:
    frames, notes = listed(root, tmp_path / "frames.jsonl")
    scene = root / "test" / "000002"
    pictures = [file for each in find_scenes(root) for file in sorted((each / "rgb").iterdir())]
    assert [frame.image.resolve() for frame in frames] == [file.resolve() for file in pictures]
    assert notes["pictures"] == len(frames) == len(pictures)
    shares = json.loads((scene / "scene_gt_info.json").read_text())["0"]
    kept = [number for number, entry in enumerate(shares) if entry["visib_fract"] >= 0.1]
    first = next(
        frame for frame in frames if frame.image.resolve() == (scene / "rgb" / "000000.png").resolve()
    )
    assert first.objects == [(1, 7, 1)[number] for number in kept]
    masks = [read_mask(scene / "mask_visib" / f"000000_{number:06d}.png") for number in kept]
    assert first.boxes == [list(mask_box(mask)) for mask in masks]
    assert (first.scene_id, first.image_id, first.kind, first.bits) == (2, 0, "visible", None)
    np.testing.assert_array_equal(first.camera.K, K)


def test_a_scene_and_a_folder_of_scenes_are_enough(root: Path) -> None:
    scenes = find_scenes(root)
    assert scenes
    assert find_scenes(root / "test") == scenes
    assert find_scenes(scenes[0]) == scenes[:1]
    for wrong in (root / "models", root / "nowhere"):
        with pytest.raises(UserError, match=r"has no scene|is no folder"):
            find_scenes(wrong)


def test_whole_boxes_and_some_objects(root: Path, tmp_path: Path) -> None:
    frames, _ = listed(root / "test" / "000002", tmp_path / "a.jsonl", boxes="whole", objects=("7",))
    assert frames
    for frame in frames:
        assert (frame.objects, frame.boxes, frame.kind) == ([7], [WHOLE], "whole")
    named, _ = listed(root / "test" / "000002", tmp_path / "b.jsonl", objects=("cup",))  # number 7 of LineMOD
    assert [frame.objects for frame in named] == [[7]] * len(frames)
    with pytest.raises(UserError, match="unknown object 'cpu'; did you mean 'cup'"):
        write_frame_list(root, tmp_path / "c.jsonl", objects=("cpu",))


def test_a_detectors_boxes_need_no_poses(root: Path, tmp_path: Path) -> None:
    scene = root / "test" / "000002"
    for name in ("gt", "gt_info"):
        (scene / f"scene_{name}.json").unlink()
    found = [
        {"scene_id": 2, "image_id": 1, "category_id": 7, "bbox": [1.5, 2, 3, 4], "score": 0.5, "time": 1},
        {"scene_id": 2, "image_id": 1, "category_id": 7, "bbox": [5, 6, 7, 8], "score": 0.9, "time": 1},
        {"scene_id": 3, "image_id": 1, "category_id": 7, "bbox": [5, 6, 7, 8], "score": 0.9, "time": 1},
    ]
    (tmp_path / "found.json").write_text(json.dumps(found))
    (frame,), notes = listed(scene, tmp_path / "a.jsonl", detections=tmp_path / "found.json")
    assert (frame.image_id, frame.objects, frame.kind) == (1, [7, 7], None)
    assert frame.boxes == [[5, 6, 7, 8], [1.5, 2, 3, 4]]
    assert notes["pictures without a box"] > 0


def test_boxes_that_nothing_states_are_one_line(tmp_path: Path) -> None:
    root = write_files(bop_files(), tmp_path / "set")
    with pytest.raises(UserError, match=r"scene_gt_info\.json: image 0 has no key 'bbox_visib'"):
        write_frame_list(root, tmp_path / "a.jsonl")
    for file in root.glob("*/*/scene_gt_info.json"):
        file.unlink()
    with pytest.raises(UserError, match="does not state the boxes of image 0: give a detector's"):
        write_frame_list(root, tmp_path / "a.jsonl")
    assert not (tmp_path / "a.jsonl").exists()
