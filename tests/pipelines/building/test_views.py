"""Renderings have the set's own camera, size and distances; a mesh alone is enough; LineMOD keeps its own."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from epropnp.data.manifest import read_manifest
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from epropnp.errors import UserError
from pipelines.building.build import BuildConfig, build
from pipelines.building.plan import plan_dataset
from pipelines.prepare import main
from pipelines.rendering.camera_views import LINEMOD_K
from pipelines.rendering.views import LINEMOD_VIEWS
from tests.pipelines.polyhedra import NAME, SIZE, K, Truth, edit_scenes, write_set


def rendered(path: Path, split: str = "train") -> list[Record]:
    return [record for record in ArrowDataset(path).split(split) if record.synthetic]


def sides(records: list[Record]) -> np.ndarray:
    return np.array([max(record.box[2:]) for record in records])


def distances(records: list[Record]) -> np.ndarray:
    return np.array([np.linalg.norm(record.T_cam_obj[:3, 3]) for record in records])


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A part of 12 mm, photographed from 6 to 8 cm."""
    truth = Truth(size=0.075, distance_m=(0.06, 0.08), frames=10)
    return write_set(tmp_path_factory.mktemp("part") / "set", truth)


@pytest.fixture(scope="module")
def beside(part: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its photographs with 20 renderings."""
    config = BuildConfig(objects=(NAME,), source=part, train=20, background_count=2)
    return build(config, tmp_path_factory.mktemp("data"), workers=1, progress=False)


def test_renderings_are_as_large_and_as_far_away_as_the_photographs(beside: Path) -> None:
    photographs = [record for record in ArrowDataset(beside).split("train") if not record.synthetic]
    renderings = rendered(beside)
    assert len(renderings) == 20
    for record in renderings:
        np.testing.assert_array_equal(record.K, K)
        assert tuple(record.image_size) == SIZE
    assert distances(renderings).min() > 0.055
    assert distances(renderings).max() < 0.09
    assert np.median(sides(renderings)) == pytest.approx(np.median(sides(photographs)), rel=0.25)


def test_the_manifest_says_where_views_are_from(beside: Path) -> None:
    stated = read_manifest(beside)["config"]["views"]
    assert stated == {NAME: {"camera": "given", "distance": "given", "views": "given"}}


def test_inspect_says_so(beside: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(beside), "--output", str(tmp_path / "sheet.png")]) == 0
    line = f"  {NAME} is rendered with camera given, distance given, views given"
    assert line in capsys.readouterr().out.splitlines()


def test_elevations_are_those_of_the_photographs(tmp_path: Path) -> None:
    source = write_set(tmp_path / "set", Truth(frames=6))
    down = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])  # the camera looks down on the object's z axis

    def look_down(pose: dict[str, object]) -> None:
        pose["cam_R_m2c"] = down.ravel().tolist()

    edit_scenes(source, "gt", look_down)
    config = BuildConfig(objects=(NAME,), source=source, train=12, background_count=1, accept_geometry=True)
    for record in rendered(build(config, tmp_path / "data", workers=1, progress=False)):
        R, t = record.T_cam_obj[:3, :3], record.T_cam_obj[:3, 3]
        towards = -R.T @ t / np.linalg.norm(t)  # from the origin, which is not quite the middle
        assert np.degrees(np.arcsin(towards[2])) > 55


@pytest.mark.parametrize("kind", ["file", "folder", "bop"])
def test_a_mesh_alone_is_enough(kind: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    mesh = tmp_path / "models" / ("obj_000001.ply" if kind == "bop" else "part.ply")
    trimesh.creation.box((30.0, 40.0, 120.0)).export(mesh)
    if kind == "bop":
        (tmp_path / "models" / "models_info.json").write_text(json.dumps({"1": {"diameter": 130.0}}))
    source = {"file": mesh, "folder": tmp_path / "models", "bop": tmp_path}[kind]
    name = "obj_000001" if kind == "bop" else "part"
    config = BuildConfig(objects=(name,), source=source, train=24, validation=3, test=8, background_count=2)
    path = build(config, tmp_path / "data", workers=1, progress=False)
    assert [len(ArrowDataset(path).split(split)) for split in ("train", "validation", "test")] == [24, 3, 8]
    renderings = rendered(path)
    for record in renderings:
        np.testing.assert_array_equal(record.K, LINEMOD_K)
    seen_from = np.array([record.T_cam_obj[2, :3] for record in renderings])  # the axis in the object's frame
    assert (seen_from < 0).any(axis=0).all()
    assert (seen_from > 0).any(axis=0).all()
    depths = distances(renderings)  # the box is 130 mm large: 0.15 to 0.5 of 480 pixels
    assert depths.min() > 0.9 * 572.4 * 0.13 / 240
    assert depths.max() < 1.1 * 572.4 * 0.13 / 72
    assert np.ptp(depths) > 0.4
    diameter_mm = 1000 * next(iter(ArrowDataset(path).objects.values())).diameter_m
    assert diameter_mm == pytest.approx(130, rel=1e-6)


def test_a_mesh_in_metres_is_read_so_when_it_is_said(tmp_path: Path) -> None:
    mesh = tmp_path / "part.ply"
    trimesh.creation.box((0.03, 0.04, 0.12)).export(mesh)
    config = BuildConfig(objects=("part",), source=mesh, train=2, validation=0, test=0, background_count=1)
    with pytest.raises(UserError, match=r"part: the object is 0\.13 mm large: models look like metres"):
        build(config, tmp_path / "data", workers=1, progress=False)
    path = build(replace(config, mesh_unit="m"), tmp_path / "data", workers=1, progress=False)
    assert next(iter(ArrowDataset(path).objects.values())).diameter_m == pytest.approx(0.13)


def test_flags_say_otherwise(part: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    camera = {"fx": 900.0, "fy": 900.0, "cx": 400.0, "cy": 300.0, "width": 800, "height": 600}
    file = tmp_path / "camera.json"
    file.write_text(json.dumps(camera))
    config = BuildConfig(
        objects=(NAME,),
        source=part,
        train=16,
        background_count=1,
        camera=file,
        distance=(0.1, 0.12),
        views="hemisphere",
    )
    path = build(config, tmp_path / "data", workers=1, progress=False)
    records = rendered(path)
    assert main(["inspect", str(path), "--output", str(tmp_path / "sheet.png")]) == 0
    said = "camera 800 x 600, fx 900, fy 900, cx 400, cy 300, distance 0.1 to 0.12 m, views hemisphere"
    assert f"  {NAME} is rendered with {said}" in capsys.readouterr().out.splitlines()
    for record in records:
        assert (record.K[0, 0], record.K[1, 2], *record.image_size) == (900, 300, 800, 600)
    assert distances(records).min() > 0.095
    assert distances(records).max() < 0.125
    heights = [-record.T_cam_obj[2, 2] for record in records]  # of the camera, over the object's x-y plane
    assert min(heights) > -0.35  # the object may lie beside the optical axis
    default = plan_dataset(BuildConfig(objects=(NAME,), source=part, train=16, background_count=1), tmp_path)
    assert plan_dataset(config, tmp_path).dataset_id != default.dataset_id


def test_linemod_keeps_its_views_unless_a_flag_says_otherwise(tmp_path: Path) -> None:
    config = BuildConfig(objects=("cat",), train=1, mesh_resolution=24, background_count=1)
    plan = plan_dataset(config, tmp_path)
    assert plan.views == {"cat": LINEMOD_VIEWS}
    assert "views" not in plan.stated
    nearer = plan_dataset(replace(config, distance=(0.3, 0.4)), tmp_path)
    assert nearer.stated["views"] == {"cat": {"distance": (0.3, 0.4)}}
    assert nearer.dataset_id != plan.dataset_id


@pytest.mark.parametrize(("change", "given"), [(0.0, False), (19.0, False), (40.0, True)])
def test_an_object_of_linemod_before_another_camera_has_that_camera(
    change: float, given: bool, bop_dir: Path, tmp_path: Path
) -> None:
    file = bop_dir / "test" / "000006" / "scene_camera.json"
    table = json.loads(file.read_text())
    for entry in table.values():
        entry["cam_K"] = (LINEMOD_K + np.diag([change, change, 0.0])).ravel().tolist()
    file.write_text(json.dumps(table))
    config = BuildConfig(objects=("cat",), source=bop_dir, train=1, background_count=1)
    plan = plan_dataset(config, tmp_path)
    assert (plan.views["cat"] != LINEMOD_VIEWS) == given
    assert ("views" in plan.stated) == given


@pytest.mark.parametrize("distance", [(0.5, 0.4), (0.0, 1.0), (-1.0, 1.0), (0.1, np.inf)])
def test_distances_that_are_none_are_refused(distance: tuple[float, float], tmp_path: Path) -> None:
    config = BuildConfig(objects=("cat",), distance=distance)
    with pytest.raises(UserError, match=r"--distance .* give the smaller one first, in metres, above 0"):
        plan_dataset(config, tmp_path)


def test_what_changes_training_images_tests_on_the_same_pictures(tmp_path: Path) -> None:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 255, (300, 300, 3)).astype(np.uint8)
        cv2.imwrite(str(photographs / f"{number}.png"), noise)
    config = BuildConfig(
        objects=("cat", "ape"), train=8, validation=2, test=6, mesh_resolution=24, background_count=3
    )
    variants = {
        "default": config,
        "more": replace(config, train=12),
        "free": replace(config, occluders=()),
        "another occluder": replace(config, occluders=("duck",)),
        "photographs": replace(config, backgrounds=photographs),
    }
    manifests, train = {}, {}
    for name, variant in variants.items():
        path = build(variant, tmp_path / "data", workers=1, progress=False)
        manifests[name] = read_manifest(path)
        train[name] = {record.sample_id: record.rgb.tobytes() for record in ArrowDataset(path).split("train")}
    assert len({manifest["dataset_id"] for manifest in manifests.values()}) == len(variants)
    assert len({manifest["test_id"] for manifest in manifests.values()}) == 1
    assert train["more"].items() > train["default"].items()
    for name in ("free", "another occluder", "photographs"):
        assert train[name] != train["default"]
