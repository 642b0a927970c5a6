"""The official split of LineMOD: its numbers, and when a folder gets it."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.objects import LINEMOD, STUDY_OBJECTS
from pipelines.readers.bop import BopFolder
from pipelines.readers.linemod_split import official_split
from tests.pipelines.folders import lump, ply, png

CAT = LINEMOD["cat"]


def test_it_has_the_study_s_2375_training_and_13425_test_frames() -> None:
    split = official_split()
    assert tuple(split) == STUDY_OBJECTS
    assert sum(len(own.train) for own in split.values()) == 2375
    assert sum(len(own.test) for own in split.values()) == 13425
    assert (len(split["cat"].train), len(split["cat"].test)) == (177, 1002)
    for own in split.values():
        assert sorted({*own.train, *own.test}) == list(range(own.frames))


@pytest.mark.parametrize("name", STUDY_OBJECTS)
def test_it_is_that_of_the_lists_that_circulate(name: str, shared_data: Path) -> None:
    folder = shared_data / "lm" / "splits"
    if not folder.is_dir():
        pytest.skip(f"needs the lists at {folder}")
    own = official_split()[name]
    for split, numbers in (("train", own.train), ("test", own.test)):
        assert sorted(map(int, (folder / f"{name}_{split}.txt").read_text().split())) == list(numbers)


@pytest.fixture(scope="module")
def linemod(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cat's whole sequence as BOP ships it, with a picture of every frame, one of them rendered again."""
    root = tmp_path_factory.mktemp("lm")
    scene, renderings = root / "test" / "000006", root / "train" / "000006"
    (root / "models").mkdir()
    (root / "models" / "obj_000006.ply").write_bytes(ply(lump(6, CAT.diameter_m), 0.001))
    table = {"6": {"diameter": 1000 * CAT.diameter_m}}
    (root / "models" / "models_info.json").write_text(json.dumps(table))
    pose = {"cam_R_m2c": np.eye(3).ravel().tolist(), "cam_t_m2c": [0, 0, 800], "obj_id": 6}
    K = [572.4114, 0, 325.2611, 0, 573.57043, 242.04899, 0, 0, 1]
    for folder, count in ((scene, official_split()["cat"].frames), (renderings, 3)):
        (folder / "rgb").mkdir(parents=True)
        for number in range(count):
            (folder / "rgb" / f"{number:06d}.png").write_bytes(PICTURE)
        tables = {"gt": [pose], "gt_info": [{"visib_fract": 1.0}], "camera": {"cam_K": K}}
        for name, entry in tables.items():
            content = json.dumps({str(number): entry for number in range(count)})
            (folder / f"scene_{name}.json").write_text(content)
    targets = [{"scene_id": 6, "im_id": i, "obj_id": 6, "inst_count": 1} for i in (3, 5, 7)]
    (root / "test_targets_bop19.json").write_text(json.dumps(targets))
    return root


PICTURE = png(np.zeros((2, 2, 3), np.uint8))


def numbers(root: Path, split: str) -> list[int]:
    frames = BopFolder(root).frames(CAT).by_split[split]
    assert all(frame.sample_id.startswith("bop/test/000006/") for frame in frames)
    assert not any(frame.synthetic for frame in frames)
    return [int(frame.sample_id[16:22]) for frame in frames]


def test_a_whole_sequence_without_lists_gets_it_whatever_bop_tests(linemod: Path) -> None:
    assert numbers(linemod, "train") == list(official_split()["cat"].train)
    assert numbers(linemod, "test") == list(official_split()["cat"].test)
    notes = BopFolder(linemod).frames(CAT).notes
    assert notes["sequence of LineMOD, whole and without lists: split as its studies split it"] == 1


def test_lists_go_over_it(linemod: Path, tmp_path: Path) -> None:
    (tmp_path / "cat_train.txt").write_text("1 2 3")
    (tmp_path / "cat_test.txt").write_text("4")
    found = BopFolder(linemod, tmp_path).frames(CAT).by_split
    assert [len(found[split]) for split in ("train", "test")] == [3, 1]


def test_a_part_of_a_sequence_is_split_by_its_folders(linemod: Path) -> None:
    file = linemod / "test" / "000006" / "scene_gt.json"
    whole = file.read_text()
    table = json.loads(whole)
    del table["1000"]
    file.write_text(json.dumps(table))
    try:
        found = BopFolder(linemod).frames(CAT).by_split
        assert [len(found[split]) for split in ("train", "validation", "test")] == [3, 0, 3]
        assert all(frame.synthetic for frame in found["train"])
    finally:
        file.write_text(whole)
