"""Sources: which reader a folder gets, what validates, and what the fingerprint depends on."""

import pickle
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.building.sources import FolderSource, StandinSource, open_source
from pipelines.objects import LINEMOD
from pipelines.rendering.mesh import Mesh
from tests.pictures import picture_in
from tests.pipelines.folders import bop_files, cdpn_files, write_files
from tests.pipelines.readers.test_bop import edit

CAT = LINEMOD["cat"]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_files(bop_files(), tmp_path / "tiny")


def fingerprint(root: Path, name: str = "obj_000007", seed: int = 0, lists: Path | None = None) -> str:
    source = open_source(root, seed, 10, lists)
    info = source.objects()[name]
    return source.fingerprint([info], {name: source.real_frames([info])[info.name]})


def test_layouts_are_told_apart(tiny: Path, tmp_path: Path) -> None:
    cdpn = write_files(cdpn_files(), tmp_path / "cdpn")
    assert (open_source(tiny, 0, 1).kind, open_source(cdpn, 0, 1).kind) == ("bop", "cdpn")
    assert StandinSource(24, tmp_path).kind == "stand-ins"
    with pytest.raises(UserError, match=r"neither in the BOP layout .* nor in CDPN's"):
        open_source(tmp_path, 0, 1)
    with pytest.raises(UserError, match="no data at nowhere"):
        open_source(Path("nowhere"), 0, 1)
    with pytest.raises(UserError, match="give no split lists"):
        open_source(cdpn, 0, 1, tmp_path)


def test_sources_travel_to_other_processes_and_folders(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tiny.parent)
    source = open_source(Path("tiny"), 0, 1)
    monkeypatch.chdir(tmp_path.parent)
    moved: FolderSource = pickle.loads(pickle.dumps(source))
    assert moved == source
    assert hash(moved) == hash(source)
    assert len(moved.mesh(moved.objects()["obj_000007"]).vertices) == 14


def test_validation_is_cut_from_the_training_frames(bop_dir: Path) -> None:
    frames = open_source(bop_dir, 0, 1).real_frames([CAT])["cat"].by_split
    names = {split: {frame.sample_id[-13:-7] for frame in found} for split, found in frames.items()}
    assert names["train"] | names["validation"] == {"000000", "000002"}
    assert len(names["validation"]) == 1
    assert names["test"] == {"000001", "000003"}


def test_instances_of_one_picture_stay_together(tiny: Path) -> None:
    source = open_source(tiny, 0, 1)
    info = source.objects()["obj_000001"]
    splits = [source.real_frames([info])[info.name].by_split[split] for split in ("train", "validation")]
    pictures = [{frame.image_file for frame in frames} for frames in splits]
    assert [(len(frames), len(files)) for frames, files in zip(splits, pictures, strict=True)] == [
        (6, 3),
        (2, 1),
    ]
    assert not pictures[0] & pictures[1]


def test_the_seed_decides_the_cut(tiny: Path) -> None:
    cuts = {
        source.real_frames([source.objects()["obj_000007"]])["obj_000007"].by_split["validation"][0].sample_id
        for source in (open_source(tiny, seed, 1) for seed in range(20))
    }
    assert len(cuts) == 4


def test_a_set_that_only_tests_is_not_cut(tiny: Path) -> None:
    shutil.rmtree(tiny / "train_real")
    source = open_source(tiny, 0, 1)
    found = source.real_frames([source.objects()["obj_000007"]])["obj_000007"].by_split
    assert {split: len(frames) for split, frames in found.items()} == {"train": 0, "validation": 0, "test": 2}


def test_given_validation_frames_replace_the_cut(tiny: Path) -> None:
    shutil.copytree(tiny / "test", tiny / "val")
    source = open_source(tiny, 0, 1)
    found = source.real_frames([source.objects()["obj_000007"]])["obj_000007"].by_split
    assert {split: len(frames) for split, frames in found.items()} == {"train": 4, "validation": 2, "test": 2}


def test_one_training_picture_is_not_enough(tiny: Path) -> None:
    for number in range(3):
        (tiny / "train_real" / "000001" / "rgb" / f"{number:06d}.png").unlink()
    source = open_source(tiny, 0, 1)
    with pytest.raises(UserError, match="only 1 training picture of obj_000007 is on disk"):
        source.real_frames([source.objects()["obj_000007"]])["obj_000007"]


@pytest.mark.parametrize(("renderings", "kept"), [(0, 0), (1, 1), (2, 2), (1000, 2)])
def test_given_renderings_are_used_up_to_the_number_asked_for(
    tmp_path: Path, renderings: int, kept: int
) -> None:
    source = open_source(write_files(cdpn_files(), tmp_path), 0, renderings)
    found = source.real_frames([CAT])["cat"]
    assert [frame.synthetic for frame in found.by_split["train"]] == [False] * 2 + [True] * kept
    assert not any(frame.synthetic for frame in found.by_split["validation"])
    notes = {"renderings not used: more than asked for": 2 - kept} if kept < 2 else {}
    assert found.notes == notes


def test_a_mesh_that_comes_out_grey_is_said(tiny: Path) -> None:
    """Of one object of two the file holds no colours."""
    file = tiny / "models" / "obj_000007.ply"
    mesh = Mesh.load(file)
    header = (
        "ply\nformat ascii 1.0\nelement vertex 14\nproperty float x\nproperty float y\nproperty float z\n"
    )
    header += f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    with file.open("w") as stream:
        stream.write(header)
        np.savetxt(stream, mesh.vertices * 1000)
        np.savetxt(stream, np.insert(mesh.faces, 0, 3, axis=1), fmt="%d")
    source = open_source(tiny, 0, 1)
    found = source.real_frames(list(source.objects().values()))
    notes = {name: frames.notes for name, frames in found.items()}
    grey = "mesh with neither colours nor a texture: rendered grey"
    assert notes == {"obj_000001": {}, "obj_000007": {grey: 1}}


def test_a_standin_is_known_by_name_resolution_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def known() -> list[str]:
        return [StandinSource(n, tmp_path).mesh_fingerprint(LINEMOD[name]) for name, n in which]

    which = [(name, resolution) for name in ("cat", "duck") for resolution in (64, 96)]
    first = known()
    assert known() == first
    monkeypatch.setattr("pipelines.standins.VERSION", 99)
    assert len({*first, *known()}) == 8
    with pytest.raises(UserError, match="'bowl' has no stand-in"):
        StandinSource(64, tmp_path).mesh_fingerprint(LINEMOD["bowl"])
    assert not list(tmp_path.iterdir())  # nothing was built


def test_fingerprint_depends_on_content_not_on_place(tiny: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny, tmp_path / "moved")
    first = fingerprint(tiny)
    assert fingerprint(moved) == first
    (moved / "readme.txt").write_text("beside the point")
    edit(moved / "test" / "000002" / "scene_gt.json", lambda t: t["0"][0].update(cam_t_m2c=[1, 2, 300]))
    assert fingerprint(moved) == first  # another object, and masks are given


@pytest.mark.parametrize(
    "name",
    ["models/obj_000007.ply", "test/000002/rgb/000000.png", "test/000002/mask_visib/000001_000001.png"],
)
def test_fingerprint_depends_on_every_file_of_the_object(tiny: Path, name: str) -> None:
    first = fingerprint(tiny)
    if name.endswith(".png"):
        cv2.imwrite(str(tiny / name), 255 - picture_in(tiny / name, cv2.IMREAD_UNCHANGED))
    else:
        (tiny / name).write_bytes(bop_files()["models/obj_000001.ply"])
        edit(tiny / "models" / "models_info.json", lambda t: t["7"].update(diameter=70))
    assert fingerprint(tiny) != first


def test_fingerprint_depends_on_numbers_splits_and_occluders(tiny: Path, tmp_path: Path) -> None:
    prints = [fingerprint(tiny), fingerprint(tiny, seed=2)]
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "obj_000007_train.txt").write_text("train_real/000001/0 train_real/000001/1")
    (lists / "obj_000007_test.txt").write_text("0")
    prints.append(fingerprint(tiny, lists=lists))
    edit(tiny / "test" / "000002" / "scene_camera.json", lambda t: t["0"]["cam_K"].__setitem__(2, 23.3))
    prints.append(fingerprint(tiny))
    edit(tiny / "models" / "models_info.json", lambda t: t["7"].update(diameter=40.1))
    prints.append(fingerprint(tiny))
    shutil.rmtree(tiny / "test" / "000002" / "mask_visib")
    prints.append(fingerprint(tiny))
    edit(tiny / "test" / "000002" / "scene_gt.json", lambda t: t["0"][0].update(cam_t_m2c=[1, 2, 300]))
    prints.append(fingerprint(tiny))
    assert len(set(prints)) == len(prints)
