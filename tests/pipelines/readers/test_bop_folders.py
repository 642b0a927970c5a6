"""Which folders hold photographs, and of which sensor: by the layouts of BOP's data sets."""

from collections import Counter
from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.readers.bop import BopFolder
from pipelines.readers.bop_folders import find_folders
from pipelines.readers.frames import RealFrames
from tests.pipelines.folders import BOP_SCENES, bop_files, write_files

PICTURES = BOP_SCENES["train_real/000001"]


def made(root: Path, *folders: str) -> Path:
    """The tiny set with its training scene in each folder `train*` and `val*`, its test scene in `test*`."""
    files = {name: content for name, content in bop_files().items() if name.startswith("models/")}
    for folder in folders:
        scene = "test/000002" if folder.startswith("test") else "train_real/000001"
        for name, content in bop_files().items():
            if name.startswith(f"{scene}/"):
                files[f"{folder}/{name.partition('/')[2]}"] = content
    return write_files(files, root)


def read(root: Path, *real_frames: str, lists: Path | None = None) -> RealFrames:
    data = BopFolder(root, lists, real_frames)
    return data.frames(data.objects()["obj_000007"])


def kinds(found: RealFrames) -> dict[str, dict[str, bool]]:
    """By split the folders of its frames, and whether these are marked as synthetic."""
    return {
        split: {frame.sample_id.split("/")[1]: frame.synthetic for frame in frames}
        for split, frames in found.by_split.items()
    }


@pytest.mark.parametrize(
    ("folder", "synthetic"),
    [
        ("train_real", False),
        ("train_pbr", True),
        ("train_synt", True),
        ("train_render", True),
        ("train_render_reconst", True),
        ("train_BLENDER", True),
        ("train", True),  # LineMOD's: renderings on black
        ("train_own", True),
    ],
)
def test_only_train_real_holds_photographs(tmp_path: Path, folder: str, synthetic: bool) -> None:
    found = read(made(tmp_path, folder, "test"))
    assert kinds(found) == {"train": {folder: synthetic}, "validation": {}, "test": {"test": False}}
    unclear = folder in ("train", "train_own")
    note = f"train pictures of {folder}/ taken for renderings: --real-frames {folder} says otherwise"
    assert found.notes == ({note.removeprefix("train "): PICTURES} if unclear else {})


@pytest.mark.parametrize("folder", ["train", "train_pbr", "train_own"])
def test_the_user_says_what_holds_photographs(tmp_path: Path, folder: str) -> None:
    root = made(tmp_path, folder, "train_synt", "test")
    found = read(root, folder)
    assert kinds(found)["train"] == {folder: False, "train_synt": True}
    assert found.notes == {}


def test_named_folders_take_the_place_of_train_real(tmp_path: Path) -> None:
    root = made(tmp_path, "train_own", "train_real", "test")
    assert kinds(read(root, "train_own"))["train"] == {"train_own": False, "train_real": True}
    assert kinds(read(root, "test"))["train"] == {"train_own": True, "train_real": False}


def test_renderings_and_photographs_side_by_side_are_both_used(tmp_path: Path) -> None:
    found = read(made(tmp_path, "train_pbr", "train_real", "train_synt", "val", "test"))
    assert kinds(found) == {
        "train": {"train_pbr": True, "train_real": False, "train_synt": True},
        "validation": {"val": False},
        "test": {"test": False},
    }
    assert found.notes == {}


@pytest.mark.parametrize(
    ("folders", "real_frames", "used"),
    [
        (("test_kinect", "test_primesense"), (), ["test_primesense"]),  # BOP's choice
        (("test_kinect", "test_primesense"), ("test_kinect",), ["test_kinect"]),
        (("test", "test_kinect"), (), ["test"]),
        (("test_canon",), (), ["test_canon"]),
        (
            ("train_kinect", "train_primesense", "test_kinect", "test_primesense"),
            ("train_kinect",),
            ["train_kinect", "test_kinect"],
        ),
        (
            ("train_canon", "train_primesense", "val_kinect", "val_primesense", "test_primesense"),
            (),
            ["train_primesense", "val_primesense", "test_primesense"],
        ),
        (
            ("train_left", "train_right", "test_left", "test_right"),
            ("test_right",),
            ["train_right", "test_right"],
        ),
        (("train_pbr", "test_aria", "test_quest3"), ("test_aria",), ["train_pbr", "test_aria"]),
        (("train_kinect", "train_primesense", "test"), (), ["train_primesense", "test"]),
        (("test", "test_pbr"), (), ["test"]),
        (("test_pbr",), (), ["test_pbr"]),
    ],
)
def test_sensors_are_not_mixed(
    tmp_path: Path, folders: tuple[str, ...], real_frames: tuple[str, ...], used: list[str]
) -> None:
    found = read(made(tmp_path, *folders), *real_frames)
    assert [folder for split in kinds(found).values() for folder in split] == used
    left_out = {
        f"scenes of {one}/ not used: of another sensor or kind": 1 for one in set(folders) - set(used)
    }
    assert {note: n for note, n in found.notes.items() if note.startswith("scenes")} == left_out


def test_a_set_that_only_tests_on_renderings_says_so(tmp_path: Path) -> None:
    assert kinds(read(made(tmp_path, "test_pbr")))["test"] == {"test_pbr": True}


@pytest.mark.parametrize("folders", [("test_left", "test_right"), ("train_aria", "train_quest3", "test")])
def test_sensors_of_equal_right_are_the_users_choice(tmp_path: Path, folders: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=f"several sensors: {folders[0]}, {folders[1]}.* --real-frames NAME"):
        read(made(tmp_path, *folders))


def test_folders_that_are_not_there_are_named(tmp_path: Path) -> None:
    root = made(tmp_path, "train_pbr", "test")
    with pytest.raises(UserError, match=r"--real-frames train_rea: .* \(it has test, train_pbr\)"):
        read(root, "train_rea")


@pytest.mark.parametrize(
    ("folder", "synthetic"), [("train", False), ("train_real", False), ("train_pbr", True)]
)
def test_listed_pictures_are_photographs_unless_their_folder_says_otherwise(
    tmp_path: Path, folder: str, synthetic: bool
) -> None:
    root = made(tmp_path / "set", folder, "test_left", "test_right")  # lists choose among sensors, too
    train, test = f"{folder}/000001/0 test_left/000002/1", "test_left/000002/0"
    lists = write_files(
        {"obj_000007_train.txt": train.encode(), "obj_000007_test.txt": test.encode()}, tmp_path / "lists"
    )
    found = read(root, lists=lists)
    assert kinds(found)["train"] == {folder: synthetic, "test_left": False}
    assert kinds(found)["test"] == {"test_left": False}


def test_real_folders_are_as_before(shared_data: Path) -> None:
    for name in ("lm", "lmo"):
        folders = find_folders(shared_data / name, ())
        assert folders.photographs == {"test"}
        notes: Counter[str] = Counter()
        assert folders.of_one_sensor(shared_data / name, (), notes) == folders
        assert not notes
