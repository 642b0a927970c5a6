"""What a BOP data set may lack, or hold besides: the frames are those of the whole set."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.readers.bop import BopFolder
from pipelines.readers.bop_files import Scene
from pipelines.readers.frames import RealFrames
from tests.pipelines.folders import SIZE, bop_files, png, write_files
from tests.pipelines.readers.test_bop import edit

TEST = "test/000002"
BEHIND = {"cam_R_m2c": [1, 0, 0, 0, 1, 0, 0, 0, 1], "cam_t_m2c": [10, 20, -300]}
TABLES = ("gt", "gt_info", "camera")
Change = Callable[[Any], Any]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_files(bop_files(), tmp_path / "tiny")


def read(root: Path, name: str = "obj_000007") -> RealFrames:
    data = BopFolder(root)
    return data.frames(data.objects()[name])


def ids(found: RealFrames) -> list[str]:
    return [frame.sample_id for frame in found.by_split["test"]]


def rename_keys(table: dict[str, Any]) -> None:
    renamed = {f"{int(name):06d}": entry for name, entry in table.items()}
    table.clear()
    table.update(renamed)


@pytest.mark.parametrize("name", ["obj_000001", "obj_000007"])
def test_the_table_of_visible_shares_may_be_missing(tiny: Path, name: str) -> None:
    expected = read(tiny, name)
    (tiny / TEST / "scene_gt_info.json").unlink()
    found = read(tiny, name)
    assert ids(found) == ids(expected)
    assert found.notes == {"test visible shares not given: measured": len(ids(expected))}


@pytest.mark.parametrize(
    "change",
    [
        lambda t: [entry.pop("visib_fract") for entry in t["0"]],
        lambda t: [entry.update(visib_fract=None) for entry in t["0"]],
        lambda t: [entry.update(visib_fract=float("nan")) for entry in t["0"]],  # 0 / 0
        lambda t: t.pop("0"),
    ],
)
def test_visible_shares_may_be_missing(tiny: Path, change: Change) -> None:
    expected = read(tiny)
    edit(tiny / TEST / "scene_gt_info.json", change)
    found = read(tiny)
    assert ids(found) == ids(expected)
    assert found.notes == {"test visible shares not given: measured": 1}


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize(
    ("place_mm", "kept"),
    [
        ([0.0, 0.0, 300.0], True),
        ([5000.0, 0.0, 300.0], False),  # out of the picture
        ([0.0, 0.0, 30000.0], False),  # smaller than a pixel
        ([0.0, 0.0, -300.0], False),  # behind the camera
        ([0.0, 0.0, 5.0], False),  # around it
    ],
)
def test_what_is_not_seen_is_left_out_without_a_table_of_shares(
    tiny: Path, masks: bool, place_mm: list[float], kept: bool
) -> None:
    scene = tiny / TEST
    (scene / "scene_gt_info.json").unlink()
    edit(scene / "scene_gt.json", lambda t: t["0"][1].update(cam_t_m2c=place_mm))
    if not masks:
        shutil.rmtree(scene / "mask_visib")
    elif not kept:
        write_files({f"{TEST}/mask_visib/000000_000001.png": png(np.zeros(SIZE[::-1], np.uint8))}, tiny)
    found = read(tiny)
    assert ids(found) == [f"bop/{TEST}/{i:06d}_000001" for i in ([0, 1] if kept else [1])]
    assert found.notes.get("test pictures with the object hidden", 0) == (not kept)


def test_what_another_object_hides_is_left_out_without_masks_and_shares(tiny: Path) -> None:
    scene = tiny / TEST
    shutil.rmtree(scene / "mask_visib")
    (scene / "scene_gt_info.json").unlink()

    def put(table: Any) -> None:  # the large one, 70 mm, wholly before the small one, 40 mm
        table["0"][0]["cam_t_m2c"], table["0"][1]["cam_t_m2c"] = [0, 0, 150], [0, 0, 400]
        table["0"].pop()

    edit(scene / "scene_gt.json", put)
    assert ids(read(tiny)) == [f"bop/{TEST}/000001_000001"]
    assert f"bop/{TEST}/000000_000000" in ids(read(tiny, "obj_000001"))


@pytest.mark.parametrize(
    "pose", [BEHIND, {}, {"cam_R_m2c": [0] * 9, "cam_t_m2c": [0] * 3}, {"cam_R_m2c": None, "cam_t_m2c": None}]
)
@pytest.mark.parametrize("object_id", [7, 99])
def test_instances_that_are_not_seen_need_no_pose(tiny: Path, pose: Any, object_id: int) -> None:
    expected, scene = ids(read(tiny)), tiny / TEST
    edit(scene / "scene_gt.json", lambda t: t["0"].append({"obj_id": object_id, **pose}))
    edit(scene / "scene_gt_info.json", lambda t: t["0"].append({"visib_fract": 0.0}))
    found = read(tiny)
    assert ids(found) == expected
    assert found.notes == ({"test pictures with the object hidden": 1} if object_id == 7 else {})


def test_a_pose_behind_the_camera_of_what_is_seen_stays_an_error(tiny: Path) -> None:
    edit(tiny / TEST / "scene_gt.json", lambda t: t["0"].append({"obj_id": 99, **BEHIND}))
    edit(tiny / TEST / "scene_gt_info.json", lambda t: t["0"].append({"visib_fract": 0.9}))
    with pytest.raises(UserError, match="behind the camera"):
        read(tiny)


def test_neighbours_without_a_mesh_hide_nothing_and_are_counted(tiny: Path) -> None:
    scene = tiny / TEST
    shutil.rmtree(scene / "mask_visib")
    edit(scene / "scene_gt.json", lambda t: t["0"][0].update(obj_id=99))
    found = read(tiny)
    assert [len(frame.occluders) for frame in found.by_split["test"]] == [1, 2]
    assert found.notes == {
        "test masks not given: rendered": 2,
        "test neighbours without a mesh: what they hide is not known": 1,
    }


@pytest.mark.parametrize("table", TABLES)
def test_image_numbers_may_be_padded(tiny: Path, table: str) -> None:
    expected = read(tiny)
    edit(tiny / TEST / f"scene_{table}.json", rename_keys)
    found = read(tiny)
    assert (ids(found), found.notes) == (ids(expected), {})
    for frame, other in zip(found.by_split["test"], expected.by_split["test"], strict=True):
        np.testing.assert_array_equal(frame.T_cam_obj, other.T_cam_obj)
        np.testing.assert_array_equal(frame.K, other.K)


def test_object_numbers_may_be_padded(tiny: Path) -> None:
    expected = BopFolder(tiny).objects()
    edit(tiny / "models" / "models_info.json", rename_keys)
    assert BopFolder(tiny).objects() == expected


@pytest.mark.parametrize(
    "name", [f"{TEST}/scene_gt.json", f"{TEST}/scene_camera.json", "models/models_info.json"]
)
def test_a_number_with_and_without_zeros_is_ambiguous(tiny: Path, name: str) -> None:
    edit(tiny / name, lambda t: t.update({f"{int(k):04d}": v for k, v in list(t.items())[:1]}))
    with pytest.raises(UserError, match="twice, with and without zeros in front"):
        read(tiny)


@pytest.mark.parametrize("folder", ["models_cad", "models_reconst", "models_fine", "models_own"])
def test_models_may_lie_in_another_folder(tiny: Path, folder: str) -> None:
    data = BopFolder(tiny)
    expected = {name: (data.mesh(info).digest(), data.model(info)) for name, info in data.objects().items()}
    (tiny / "models").rename(tiny / folder)
    assert BopFolder.is_at(tiny)
    for name, info in data.objects().items():
        model = data.model(info)
        assert data.mesh(info).digest() == expected[name][0]
        np.testing.assert_array_equal(model.symmetries, expected[name][1].symmetries)
        assert model.diameter_m == expected[name][1].diameter_m
    assert read(tiny).notes == {f"folder of meshes in place of models/: {folder}": 1}


def test_the_folders_of_meshes_have_an_order(tiny: Path) -> None:
    info = BopFolder(tiny).objects()["obj_000007"]
    small = (tiny / "models" / "obj_000007.ply").read_bytes()
    other = (tiny / "models" / "obj_000001.ply").read_bytes()
    sizes = {}
    for name, content in (("models_eval", other), ("models_reconst", other), ("models_cad", small)):
        shutil.copytree(tiny / "models", tiny / name)
        (tiny / name / "obj_000007.ply").write_bytes(content)
    for gone in ("models", "models_cad", "models_reconst"):
        sizes[gone] = float(np.ptp(BopFolder(tiny).mesh(info).vertices, axis=0).max())
        shutil.rmtree(tiny / gone)
    last = float(np.ptp(BopFolder(tiny).mesh(info).vertices, axis=0).max())
    assert sizes["models"] == sizes["models_cad"] < sizes["models_reconst"] == last


@pytest.mark.parametrize("entry", [{}, {"symmetries_discrete": [], "symmetries_continuous": []}])
def test_symmetries_may_stand_in_the_table_of_models_only(tiny: Path, entry: Any) -> None:
    (tiny / "models_eval").mkdir()
    table = {"7": {"diameter": 40.0, **entry}}
    (tiny / "models_eval" / "models_info.json").write_text(json.dumps(table))
    data = BopFolder(tiny)
    objects = data.objects()
    assert list(objects) == ["obj_000001", "obj_000007"]  # the first is in models/ only
    assert objects["obj_000007"].symmetric
    np.testing.assert_array_equal(data.model(objects["obj_000007"]).symmetries[1][:3, 3], [0, 0.002, 0])


def test_a_missing_table_of_models_is_named_with_what_it_is_for(tiny: Path) -> None:
    (tiny / "models" / "models_info.json").unlink()
    with pytest.raises(UserError, match=r"models_info\.json, which says diameters and symmetries"):
        BopFolder(tiny).objects()


def test_pictures_of_a_second_sensor_in_a_scene_are_not_mixed_in(tiny: Path) -> None:
    rgb, gray = tiny / TEST / "rgb", tiny / TEST / "gray"
    gray.mkdir()
    shutil.copy(rgb / "000001.png", gray / "000001.png")
    (rgb / "000001.png").unlink()
    scene = Scene(tiny / TEST)
    assert scene.picture(0) == rgb / "000000.png"
    assert scene.picture(1) is None
    assert read(tiny).notes == {"test pictures not on disk": 1}
