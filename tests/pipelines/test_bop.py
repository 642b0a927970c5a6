"""The BOP reader: what it reads, what it skips, and what it says about broken folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.data.format import dequantise
from epropnp.errors import UserError
from pipelines.bop import BopObject, frame_record, load_mask
from pipelines.camera_views import LINEMOD_K, project
from pipelines.objects import LINEMOD
from pipelines.render import Renderer
from pipelines.sources import BopSource

CAT = LINEMOD["cat"]


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))


def test_frames_have_metres_and_their_own_camera(bop_dir: Path) -> None:
    found = BopObject(bop_dir, CAT).frames("test")
    assert [frame.image_id for frame in found.frames] == [1, 3]
    assert (found.missing, found.hidden) == (1, 0)
    assert [frame.K[0, 2] - LINEMOD_K[0, 2] for frame in found.frames] == [1.0, 3.0]
    assert 0.5 < np.linalg.norm(found.frames[0].T_cam_obj[:3, 3]) < 1.2
    assert found.frames[0].mask_file.name == "000001_000001.png"  # the second instance


def test_record_of_a_frame_coincides_with_mask_and_picture(bop_dir: Path) -> None:
    data = BopObject(bop_dir, CAT)
    model, renderer = data.model(), Renderer(data.mesh())
    frame = data.frames("test").frames[0]
    record = frame_record(frame, renderer, model, "lm/000006/000001")
    picture = cv2.imread(str(frame.image_file))[..., ::-1]
    given = load_mask(frame)
    x, y = record.map_origin
    height, width = record.mask.shape
    np.testing.assert_array_equal(record.mask > 0, given[y : y + height, x : x + width])
    assert given.sum() == (record.mask > 0).sum()
    dx, dy = record.map_origin - record.crop_origin
    np.testing.assert_array_equal(
        record.rgb[dy : dy + height, dx : dx + width], picture[y : y + height, x : x + width]
    )
    rows, columns = np.nonzero(record.mask)
    points = dequantise(record.coords[rows, columns], model).astype(np.float64)
    pixels = np.stack([columns, rows], axis=1) + record.map_origin
    assert np.abs(project(points, record.T_cam_obj, record.K) - pixels).max() < 0.02
    assert not record.synthetic


def test_mask_of_a_record_is_the_agreement_with_the_given_mask(bop_dir: Path) -> None:
    data = BopObject(bop_dir, CAT)
    frame = data.frames("test").frames[0]
    given = cv2.imread(str(frame.mask_file), cv2.IMREAD_GRAYSCALE)
    columns = np.nonzero(given.any(axis=0))[0]
    middle = int(columns.mean())
    given[:, :middle] = 0  # the left half is occluded ...
    given[:20, -20:] = 255  # ... and something far away is claimed to be visible
    cv2.imwrite(str(frame.mask_file), given)
    record = frame_record(frame, Renderer(data.mesh()), data.model(), "x")
    assert record.box[0] == middle
    assert record.box[0] + record.box[2] == given.shape[1]
    x, y = record.map_origin
    height, width = record.mask.shape
    window = given[y : y + height, x : x + width]
    assert np.all(window[record.mask > 0] == 255)
    assert not record.mask[:20, -20:].any()


def test_model_has_metres_bounds_and_symmetries(bop_dir: Path) -> None:
    data = BopObject(bop_dir, CAT)
    model = data.model()
    assert model.diameter_m == pytest.approx(0.1545)
    assert model.symmetries.shape == (2, 4, 4)
    np.testing.assert_array_equal(model.symmetries[0], np.eye(4))
    assert model.symmetries[1][1, 3] == pytest.approx(0.002)
    assert model.points.shape == data.mesh().vertices.shape
    np.testing.assert_allclose(model.bounds_min, data.mesh().vertices.min(axis=0))


def test_symmetry_of_revolution_becomes_turns(bop_dir: Path) -> None:
    symmetry = {"axis": [0, 0, 1], "offset": [10, 0, 0]}
    file = bop_dir / "models" / "models_info.json"
    edit(file, lambda t: t["6"].update(symmetries_continuous=[symmetry], symmetries_discrete=[]))
    turns = BopObject(bop_dir, CAT).model().symmetries
    assert len(turns) == 64
    moved = turns @ np.array([0.01, 0.0, 0.05, 1.0])  # a point of the axis stays
    np.testing.assert_allclose(moved, np.tile([0.01, 0.0, 0.05, 1.0], (64, 1)), atol=1e-12)


def test_evaluation_mesh_is_preferred_for_points(bop_dir: Path) -> None:
    folder = bop_dir / "models_eval"
    folder.mkdir()
    mesh = BopObject(bop_dir, CAT).mesh()
    half = type(mesh)(mesh.vertices * 0.5, mesh.faces, mesh.colors, mesh.normals)
    half.save(folder / "obj_000006.ply")
    (folder / "models_info.json").write_text(json.dumps({"6": {"diameter": 77.0}}))
    model = BopObject(bop_dir, CAT).model()
    assert model.diameter_m == pytest.approx(0.077)
    np.testing.assert_allclose(model.points.max(axis=0), model.bounds_max * 0.5, atol=1e-6)


def test_hidden_objects_are_skipped_and_counted(bop_dir: Path) -> None:
    file = bop_dir / "test" / "000006" / "scene_gt_info.json"
    edit(file, lambda t: t["1"][1].update(visib_fract=0.05))
    found = BopObject(bop_dir, CAT).frames("test")
    assert ([frame.image_id for frame in found.frames], found.hidden) == ([3], 1)


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("gt", lambda t: t.pop("1"), ["scene_gt.json", "'1'"]),
        ("gt", lambda t: t["1"][1].pop("obj_id"), ["scene_gt.json", "image 1", "obj_id"]),
        ("gt", lambda t: t["1"].pop(), ["scene_gt.json", "image 1", "obj_id 6"]),
        ("gt", lambda t: t["1"][1].pop("cam_R_m2c"), ["scene_gt.json", "image 1", "cam_R_m2c"]),
        ("gt", lambda t: t["1"][1].update(cam_t_m2c=[1, 2]), ["image 1", "cam_t_m2c", "3 numbers"]),
        ("camera", lambda t: t["1"].pop("cam_K"), ["scene_camera.json", "image 1", "cam_K"]),
        ("camera", lambda t: t.pop("1"), ["scene_camera.json", "'1'"]),
        ("gt_info", lambda t: t["1"][1].pop("visib_fract"), ["scene_gt_info.json", "visib_fract"]),
        ("gt_info", lambda t: t["1"].pop(), ["scene_gt_info.json", "image 1"]),
    ],
)
def test_missing_key_names_file_image_and_key(
    bop_dir: Path, table: str, change: Callable[[Any], Any], words: list[str]
) -> None:
    edit(bop_dir / "test" / "000006" / f"scene_{table}.json", change)
    with pytest.raises(UserError) as raised:
        BopObject(bop_dir, CAT).frames("test")
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "name",
    ["test/000006/scene_gt.json", "splits/cat_test.txt", "test/000006/mask_visib/000001_000001.png"],
)
def test_missing_file_is_named(bop_dir: Path, name: str) -> None:
    (bop_dir / name).unlink()
    with pytest.raises(UserError, match=Path(name).name):
        BopObject(bop_dir, CAT).frames("test")


def test_broken_files_are_named(bop_dir: Path) -> None:
    data = BopObject(bop_dir, CAT)
    frame = data.frames("test").frames[0]
    renderer, model = Renderer(data.mesh()), data.model()
    frame.image_file.write_bytes(b"x")
    with pytest.raises(UserError, match=r"000001\.png is not a readable picture"):
        frame_record(frame, renderer, model, "x")
    frame.mask_file.write_bytes(b"x")
    with pytest.raises(UserError, match=r"000001_000001\.png is unreadable or empty"):
        load_mask(frame)
    (bop_dir / "test" / "000006" / "scene_gt.json").write_text("{")
    with pytest.raises(UserError, match=r"scene_gt\.json is not JSON"):
        data.frames("test")


def test_missing_folder_sequence_and_mesh_are_named(bop_dir: Path) -> None:
    with pytest.raises(UserError, match=r"no data folder at .*nowhere"):
        BopObject(bop_dir / "nowhere", CAT)
    with pytest.raises(UserError, match=r"000001 is missing: .* no frames of ape"):
        BopObject(bop_dir, LINEMOD["ape"])
    (bop_dir / "models" / "obj_000006.ply").unlink()
    with pytest.raises(UserError, match=r"obj_000006\.ply"):
        BopObject(bop_dir, CAT).model()


def test_validation_is_cut_from_the_training_frames(bop_dir: Path) -> None:
    frames = BopSource(bop_dir, seed=0).real_frames(CAT).by_split
    ids = {split: {frame.image_id for frame in found} for split, found in frames.items()}
    assert ids["train"] | ids["validation"] == {0, 2}
    assert len(ids["validation"]) == 1
    assert ids["test"] == {1, 3}


def test_image_in_train_and_test_is_refused(bop_dir: Path) -> None:
    (bop_dir / "splits" / "cat_test.txt").write_text("000001\n000002\n")
    with pytest.raises(UserError, match="trains and tests on image 2"):
        BopSource(bop_dir, seed=0).real_frames(CAT)


def test_real_cat_is_split_as_the_study_does(real_lm: Path) -> None:
    frames = BopSource(real_lm, seed=0).real_frames(CAT)
    assert {split: len(found) for split, found in frames.by_split.items()} == {
        "train": 150,
        "validation": 27,
        "test": 501,
    }
    assert frames.skipped == {"test pictures not on disk": 501}


def test_real_cat_mesh_coincides_with_the_given_masks(real_lm: Path) -> None:
    data = BopObject(real_lm, CAT)
    renderer = Renderer(data.mesh())
    overlaps = []
    for frame in data.frames("test").frames[::50]:
        given = load_mask(frame)
        maps = renderer.maps(frame.T_cam_obj, frame.K, (640, 480))
        rendered = np.zeros_like(given)
        (x, y), (height, width) = maps.origin, maps.mask.shape
        rendered[y : y + height, x : x + width] = maps.mask
        overlaps.append((given & rendered).sum() / (given | rendered).sum())
    # The given masks were rendered with pixel centres at half-integer coordinates, ours are at
    # integers: half a pixel all around is what keeps the overlap of a small object from 1.
    assert np.mean(overlaps) >= 0.95
    assert min(overlaps) >= 0.93
    half_pixel = np.array([[0, 0, -0.5], [0, 0, -0.5], [0, 0, 0]])
    maps = renderer.maps(frame.T_cam_obj, frame.K + half_pixel, (640, 480))
    rendered = np.zeros_like(given)
    (x, y), (height, width) = maps.origin, maps.mask.shape
    rendered[y : y + height, x : x + width] = maps.mask
    assert (given & rendered).sum() / (given | rendered).sum() > 0.995
