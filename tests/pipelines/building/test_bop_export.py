"""Export to the BOP format and back: poses and cameras bit by bit, masks pixel by pixel."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.crop import cut
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import SPLITS
from epropnp.errors import UserError
from pipelines.building.bop_export import export_bop, source_of
from pipelines.building.build import BuildConfig, build
from pipelines.building.sources import FolderSource
from pipelines.prepare import main
from pipelines.readers.bop import BopFolder
from pipelines.readers.frames import frame_record
from pipelines.rendering.renderer import Renderer
from tests.pictures import picture_in
from tests.pipelines.folders import bop_files, write_files


@pytest.fixture(scope="module")
def exported(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The procedural cat and ape, some of them half hidden, in the BOP format."""
    output = tmp_path_factory.mktemp("export") / "bop"
    dataset = ArrowDataset(built)
    assert export_bop(dataset, source_of(dataset, None), output) == 36
    return output


@pytest.mark.slow
def test_round_trip_gives_identical_poses_cameras_and_masks(built: Path, exported: Path) -> None:
    dataset, data = ArrowDataset(built), BopFolder(exported)
    objects = data.objects()
    assert [info.object_id for info in objects.values()] == sorted(dataset.objects)
    hidden = 0
    for info in objects.values():
        found, renderer, model = data.frames(info), Renderer(data.mesh(info)), data.model(info)
        assert found.notes == {}
        for split in SPLITS:
            records = [r for r in dataset.split(split) if r.object_id == info.object_id]
            assert len(found.by_split[split]) == len(records)
            for frame, record in zip(found.by_split[split], records, strict=True):
                back = frame_record(frame, renderer, model)
                assert frame.synthetic
                for name in (
                    "K",
                    "T_cam_obj",
                    "mask",
                    "box",
                    "map_origin",
                    "image_size",
                    "rgb",
                    "crop_origin",
                ):
                    np.testing.assert_array_equal(getattr(back, name), getattr(record, name), err_msg=name)
                assert np.abs(back.coords.astype(int) - record.coords.astype(int)).max() <= 1
                hidden += (record.mask > 0).sum() < renderer.maps(
                    frame.T_cam_obj, frame.K, (640, 480)
                ).mask.sum()
    assert hidden > 0


def test_models_come_back(built: Path, exported: Path) -> None:
    dataset, data = ArrowDataset(built), BopFolder(exported)
    for info in data.objects().values():
        model, expected = data.model(info), dataset.objects[info.object_id]
        assert (model.name, model.diameter_m) == (expected.name, expected.diameter_m)
        np.testing.assert_allclose(model.bounds_min, expected.bounds_min, rtol=1e-15)
        np.testing.assert_array_equal(model.points, expected.points)
        np.testing.assert_array_equal(model.symmetries, expected.symmetries)


def test_tables_are_what_bop_tools_expect(built: Path, exported: Path) -> None:
    scene = exported / "test_synt" / "000006"
    record = next(r for r in ArrowDataset(built).split("test") if r.object_id == 6)
    tables = {
        name: json.loads((scene / f"scene_{name}.json").read_text()) for name in ("gt", "gt_info", "camera")
    }
    (pose,), (info,) = tables["gt"]["0"], tables["gt_info"]["0"]
    np.testing.assert_allclose(pose["cam_t_m2c"], record.T_cam_obj[:3, 3] * 1000, rtol=1e-15)
    assert (pose["obj_id"], tables["camera"]["0"]["depth_scale"]) == (6, 1.0)
    masks = {
        name: picture_in(scene / name / "000000_000000.png", cv2.IMREAD_UNCHANGED) > 0
        for name in ("mask", "mask_visib")
    }
    assert masks["mask"].shape == (480, 640)
    assert np.all(masks["mask"] | ~masks["mask_visib"])
    assert info["px_count_all"] == masks["mask"].sum()
    assert info["px_count_visib"] == masks["mask_visib"].sum()
    assert info["visib_fract"] == info["px_count_visib"] / info["px_count_all"]
    rows, columns = np.nonzero(masks["mask_visib"])
    box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert info["bbox_visib"] == box == record.box.tolist()
    picture = picture_in(scene / "rgb" / "000000.png")
    side = record.rgb.shape[0]
    crop = cut(picture, (0, 0), (int(record.crop_origin[0]), int(record.crop_origin[1])), (side, side))
    np.testing.assert_array_equal(crop[..., ::-1], record.rgb)
    entry = json.loads((exported / "models" / "models_info.json").read_text())["6"]
    assert entry["diameter"] == pytest.approx(154.54551808)
    assert entry["size_x"] > 0 > entry["min_x"]


def test_a_data_set_with_symmetries_and_several_instances_comes_back(tmp_path: Path) -> None:
    source = write_files(bop_files(), tmp_path / "own")
    config = BuildConfig(objects=("obj_000001", "obj_000007"), source=source, train=0, background_count=1)
    first = ArrowDataset(build(config, tmp_path / "data", workers=1, progress=False))
    with pytest.raises(UserError, match="was built from a folder of data: name that"):
        source_of(first, None)
    export_bop(first, source_of(first, source), tmp_path / "bop")
    again = replace(config, source=tmp_path / "bop")
    second = ArrowDataset(build(again, tmp_path / "data", workers=1, progress=False))
    for split in SPLITS:
        assert len(second.split(split)) == len(first.split(split)) > 0
        for record, expected in zip(second.split(split), first.split(split), strict=True):
            for name in ("K", "T_cam_obj", "mask", "rgb", "box"):
                np.testing.assert_array_equal(getattr(record, name), getattr(expected, name))
    for object_id, model in first.objects.items():
        np.testing.assert_array_equal(second.objects[object_id].symmetries, model.symmetries)


def test_other_meshes_are_noticed(built: Path, tmp_path: Path) -> None:
    dataset = ArrowDataset(built)
    with pytest.raises(UserError, match="was built from other data than these: ape differs"):
        export_bop(
            dataset, FolderSource(BopFolder(write_files(bop_files(), tmp_path)), 0, 0), tmp_path / "bop"
        )
    manifest = dict(dataset.manifest["config"]) | {"mesh_resolution": 26}
    dataset.manifest["config"] = manifest
    with pytest.raises(UserError, match="was built from other data than these"):
        export_bop(dataset, source_of(dataset, None), tmp_path / "bop")
    assert not (tmp_path / "bop").exists()


def test_command_line_exports_once(built: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "bop"
    assert main(["export", str(built), "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"wrote 36 pictures of 2 objects to {output}\n"
    assert main(["export", str(built), "--output", str(output)]) == 2
    assert "is not empty: give a new folder" in capsys.readouterr().err
    assert main(["export", str(built), "--output", str(output / "models" / "models_info.json")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
