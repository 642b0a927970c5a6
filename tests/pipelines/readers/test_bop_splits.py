"""Who decides what trains and what tests: lists, BOP's targets, folders."""

import json
from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.objects import LINEMOD
from pipelines.readers.bop import BopFolder
from pipelines.readers.frames import RealFrames
from tests.pipelines.folders import bop_files, write_files
from tests.pipelines.readers.test_bop import edit

CAT = LINEMOD["cat"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_files(bop_files(), tmp_path / "tiny")


def read(root: Path, name: str = "obj_000007", lists: Path | None = None) -> RealFrames:
    data = BopFolder(root, lists)
    return data.frames(data.objects()[name])


def ids(found: RealFrames) -> dict[str, list[str]]:
    """Sample ids by split, without the instance."""
    return {split: [f.sample_id[4:-7] for f in frames] for split, frames in found.by_split.items() if frames}


def write_lists(folder: Path, train: str, test: str, name: str = "obj_000007") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}_train.txt").write_text(train)
    (folder / f"{name}_test.txt").write_text(test)
    return folder


def test_folders_decide_where_nothing_else_does(tiny: Path) -> None:
    (tiny / "train_real" / "000001").rename(tiny / "train_real" / "000009")
    (tiny / "train_real").rename(tiny / "train_pbr")
    (tiny / "val").mkdir()
    write_files({name: c for name, c in bop_files().items() if name.startswith("train_real/")}, tiny)
    (tiny / "train_real" / "000001").rename(tiny / "val" / "000001")
    assert ids(read(tiny)) == {
        "train": [f"train_pbr/000009/{i:06d}" for i in range(4)],
        "validation": [f"val/000001/{i:06d}" for i in range(4)],
        "test": ["test/000002/000000", "test/000002/000001"],
    }


def test_bop_targets_choose_among_the_test_pictures(tiny: Path) -> None:
    rows = [(2, 0, 7), (2, 1, 1), (2, 5, 7)]  # scene, image, object
    targets = [{"scene_id": s, "im_id": i, "obj_id": o, "inst_count": 1} for s, i, o in rows]
    file = tiny / "test_targets_bop19.json"
    file.write_text(json.dumps(targets))
    found = read(tiny)
    assert ids(found)["test"] == ["test/000002/000000"]
    assert len(ids(found)["train"]) == 4
    assert found.notes == {
        "test pictures that test_targets_bop19.json does not name": 1,
        "pictures named by test_targets_bop19.json without annotation": 1,
    }
    edit(file, lambda t: t[1].pop("im_id"))
    with pytest.raises(UserError, match=r"test_targets_bop19\.json: entry 1 has no key 'im_id'"):
        read(tiny)


def test_own_lists_decide_before_targets_and_folders(tiny: Path) -> None:
    (tiny / "test_targets_bop19.json").write_text("[]")
    write_lists(tiny / "splits", "train_real/000001/000003\n0\n", "train_real/000001/2")
    found = read(tiny)
    assert ids(found) == {
        "train": ["train_real/000001/000003", "test/000002/000000"],  # the only test scene needs no name
        "test": ["train_real/000001/000002"],
    }
    assert found.notes == {"pictures in no split list": 3}
    assert len(ids(read(tiny, "obj_000001"))["train"]) == 8  # has no lists: the folders decide


def test_folders_that_lists_leave_alone_are_counted(tiny: Path) -> None:
    write_lists(tiny / "splits", "0", "1")
    assert read(tiny).notes == {"scenes of folders train* and val*, because there are split lists": 1}


def test_given_lists_replace_the_own_ones(tiny: Path, tmp_path: Path) -> None:
    write_lists(tiny / "splits", "train_real/000001/0", "")
    given = write_lists(tmp_path / "given", "1", "0")
    assert ids(read(tiny, lists=given)) == {"train": ["test/000002/000001"], "test": ["test/000002/000000"]}
    with pytest.raises(UserError, match=r"cannot read .*given/obj_000001_train\.txt"):
        read(tiny, "obj_000001", lists=given)


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ("0 1", "1", r"test\.txt: image 1 of test/000002 is listed for obj_000007 already"),
        ("0 0", "1", r"train\.txt: image 0 of test/000002 is listed for obj_000007 already"),
        ("zero", "1", r"train\.txt: 'zero' is no picture of obj_000007"),
        ("../../etc/0", "1", "is no picture of obj_000007"),
        ("train/000009/0", "1", r"train/000009/scene_gt\.json"),
        ("0", "7", r"scene_gt\.json: the file has no key '7'"),
    ],
)
def test_broken_lists_are_explained(tiny: Path, train: str, test: str, words: str) -> None:
    write_lists(tiny / "splits", train, test)
    if test == "7":
        write_files({"test/000002/rgb/000007.png": b"x"}, tiny)
    with pytest.raises(UserError, match=words):
        read(tiny)


def test_a_list_of_one_split_only_is_not_enough(tiny: Path) -> None:
    write_lists(tiny / "splits", "0", "1")
    (tiny / "splits" / "obj_000007_test.txt").unlink()
    with pytest.raises(UserError, match=r"cannot read .*obj_000007_test\.txt"):
        read(tiny)


def test_lists_must_name_the_scene_where_several_show_the_object(tiny: Path) -> None:
    write_lists(tiny / "splits", "0", "1")
    files = {name.replace("train_real/000001", "test/000001"): c for name, c in bop_files().items()}
    write_files(files, tiny)
    with pytest.raises(UserError, match="write FOLDER/SCENE/IMAGE"):
        read(tiny)
    (tiny / "test" / "000001").rename(tiny / "test" / "000007")  # LineMOD's way: the object's own scene
    assert ids(read(tiny)) == {"train": ["test/000007/000000"], "test": ["test/000007/000001"]}


def test_lists_of_a_sequence_that_is_not_there_are_explained(tiny: Path) -> None:
    write_lists(tiny / "splits", "0", "1", "obj_000008")
    edit(tiny / "models" / "models_info.json", lambda t: t.update({"8": {"diameter": 50}}))
    with pytest.raises(UserError, match=r"no pictures of obj_000008 in test\*/, but .*obj_000008_train\.txt"):
        read(tiny, "obj_000008")


def test_listed_pictures_must_show_the_object(tiny: Path) -> None:
    edit(tiny / "test" / "000002" / "scene_gt.json", lambda t: t["1"][1].update(obj_id=8))
    write_lists(tiny / "splits", "0", "1")
    with pytest.raises(UserError, match=r"scene_gt\.json: image 1 has no pose with obj_id 7"):
        read(tiny)


def test_pictures_without_annotation_are_counted(tiny: Path) -> None:
    content = (tiny / "test" / "000002" / "rgb" / "000001.png").read_bytes()
    write_files({"test/000002/rgb/000007.png": content, "train_real/000001/gray/000008.png": content}, tiny)
    assert read(tiny).notes == {"pictures without annotation": 2}


def test_object_without_frames_is_named(tiny: Path) -> None:
    edit(tiny / "models" / "models_info.json", lambda t: t.update({"8": {"diameter": 50}}))
    with pytest.raises(UserError, match="no frames of obj_000008"):
        read(tiny, "obj_000008")


def test_real_cat_is_split_as_the_study_does(real_lm: Path) -> None:
    found = BopFolder(real_lm).frames(CAT)
    assert {split: len(frames) for split, frames in found.by_split.items()} == {
        "train": 177,
        "validation": 0,
        "test": 501,
    }
    assert found.notes == {"test pictures not on disk": 501}


def test_real_occlusion_set_only_tests(shared_data: Path) -> None:
    data = BopFolder(shared_data / "lmo")
    counts = {name: len(data.frames(info).by_split["test"]) for name, info in data.objects().items()}
    assert counts == {
        "ape": 35,
        "can": 40,
        "cat": 34,
        "driller": 40,
        "duck": 35,
        "eggbox": 32,
        "glue": 26,
        "holepuncher": 40,
    }
    assert not any(data.frames(data.objects()["ape"]).by_split[split] for split in ("train", "validation"))
