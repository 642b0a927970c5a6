"""Building: the same bytes whatever the workers and the path; an id for all that decides them."""

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.manifest import read_manifest, verify
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import dequantise
from epropnp.errors import UserError
from pipelines.building.build import BuildConfig, build, dataset_path
from pipelines.rendering.camera_views import project
from pipelines.rendering.mesh import Mesh
from tests.pictures import picture_in

pytestmark = pytest.mark.usefixtures("small_shards")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_dataset_is_complete_and_verifies(built: Path) -> None:
    verify(built)
    dataset = ArrowDataset(built)
    assert dataset.dataset_id == built.name
    assert {name: len(dataset.split(name)) for name in ("train", "validation", "test")} == {
        "train": 24,
        "validation": 6,
        "test": 6,
    }
    assert {model.name for model in dataset.objects.values()} == {"ape", "cat"}
    assert len(dataset.backgrounds) == 3
    assert not list(built.parent.glob("*.partial"))
    listed = {shard["file"] for s in dataset.manifest["splits"].values() for shard in s["shards"]}
    assert listed | {"manifest.json", *dataset.manifest["files"]} == set(contents(built))


def test_every_record_reprojects_onto_its_own_pixels(built: Path) -> None:
    dataset = ArrowDataset(built)
    for name in ("train", "validation", "test"):
        for record in dataset.split(name):
            rows, columns = np.nonzero(record.mask)
            coords = record.coords[rows, columns]
            points = dequantise(coords, dataset.objects[record.object_id]).astype(np.float64)
            pixels = np.stack([columns, rows], axis=1) + record.map_origin
            error = np.abs(project(points, record.T_cam_obj, record.K) - pixels).max()
            assert error < 0.02, record.sample_id


def test_splits_share_neither_pose_nor_sample(built: Path) -> None:
    dataset = ArrowDataset(built)
    records = [r for name in ("train", "validation", "test") for r in dataset.split(name)]
    assert len({record.sample_id for record in records}) == len(records)
    assert len({record.T_cam_obj.tobytes() for record in records}) == len(records)


def test_second_build_does_nothing(tiny: BuildConfig, built: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in built.iterdir()}
    assert build(tiny, built.parent, progress=False) == built
    assert {file: file.stat().st_mtime_ns for file in built.iterdir()} == before


@pytest.mark.slow
def test_bytes_depend_on_neither_path_nor_workers_nor_object_order(
    tiny: BuildConfig, built: Path, tmp_path: Path
) -> None:
    config = replace(tiny, objects=("ape", "cat", "ape"))
    other = build(config, tmp_path / "somewhere" / "else", workers=2, progress=False)
    assert other.name == built.name
    assert contents(other) == contents(built)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"train": 13},
        {"test": 4},
        {"objects": ("cat",)},
        {"mesh_resolution": 25},
        {"background_count": 4},
        {"occluders": ()},
        {"occluders": ("ape",)},
        {"occluders": ("cat", "ape", "duck")},
    ],
)
def test_id_depends_on_every_setting(tiny: BuildConfig, built: Path, change: dict[str, object]) -> None:
    assert dataset_path(replace(tiny, **change), built.parent) != built  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "of_standins", "of_frames"),
    [
        ("pipelines.building.plan.SCHEMA_VERSION", True, True),
        ("pipelines.rendering.VERSION", True, True),
        ("epropnp.data.crop.VERSION", True, True),
        ("pipelines.standins.VERSION", True, False),
        ("pipelines.readers.VERSION", False, True),
    ],
)
def test_id_depends_on_the_versions_of_what_makes_the_records(
    tiny: BuildConfig,
    bop_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: str,
    of_standins: bool,
    of_frames: bool,
) -> None:
    configs = tiny, BuildConfig(objects=("cat",), source=bop_dir, train=2, validation=0, test=0)
    before = [dataset_path(config, tmp_path) for config in configs]
    monkeypatch.setattr(number, 99)
    after = [dataset_path(config, tmp_path) for config in configs]
    assert [a != b for a, b in zip(after, before, strict=True)] == [of_standins, of_frames]


def test_the_manifest_states_the_versions(built: Path) -> None:
    assert read_manifest(built)["versions"] == {"crop": 1, "renderer": 1, "stand-ins": 1}


def test_id_depends_on_what_files_hold_not_on_where_they_lie(bop_dir: Path, tmp_path: Path) -> None:
    config = BuildConfig(objects=("cat",), source=bop_dir, train=2, validation=0, test=0)
    first = dataset_path(config, tmp_path)
    moved = shutil.copytree(bop_dir, tmp_path / "moved")
    assert dataset_path(replace(config, source=moved), tmp_path) == first
    picture = moved / "test" / "000006" / "rgb" / "000001.png"
    cv2.imwrite(str(picture), 255 - picture_in(picture))
    assert dataset_path(replace(config, source=moved), tmp_path) != first


def test_photographs_enter_the_id_by_content(tiny: BuildConfig, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "x.png"), np.full((64, 64, 3), 9, np.uint8))
    first, second = (dataset_path(replace(tiny, backgrounds=tmp_path / name), tmp_path) for name in "ab")
    assert first == second != dataset_path(tiny, tmp_path)
    cv2.imwrite(str(tmp_path / "b" / "x.png"), np.full((64, 64, 3), 8, np.uint8))
    assert dataset_path(replace(tiny, backgrounds=tmp_path / "b"), tmp_path) != first


def test_real_frames_and_renderings_share_the_training_split(bop_dir: Path, tmp_path: Path) -> None:
    config = BuildConfig(objects=("cat",), source=bop_dir, train=3, validation=9, test=9, background_count=2)
    path = build(config, tmp_path / "data", workers=1, progress=False)
    assert path == dataset_path(replace(config, validation=0, test=0), tmp_path / "data")
    dataset = ArrowDataset(path)
    splits = {name: dataset.split(name) for name in ("train", "validation", "test")}
    assert {name: len(split) for name, split in splits.items()} == {
        "train": 4,
        "validation": 1,
        "test": 2,
    }
    assert splits["train"].column("synthetic").tolist() == [False, True, True, True]
    ids = [i for split in splits.values() for i in split.column("sample_id")]
    assert len(set(ids)) == len(ids)
    assert splits["test"].column("sample_id").tolist() == [
        "bop/test/000006/000001_000001",
        "bop/test/000006/000003_000001",
    ]
    assert dataset.manifest["notes"] == {"cat": {"test pictures not on disk": 1}}
    assert str(tmp_path) not in (path / "manifest.json").read_text()


def test_obj_files_serve_as_models(bop_dir: Path, tmp_path: Path) -> None:
    """A model with the same content in an OBJ file: the same dataset."""
    config = BuildConfig(objects=("cat",), source=bop_dir, train=2, background_count=1)
    before = dataset_path(config, tmp_path)
    ply = bop_dir / "models" / "obj_000006.ply"
    mesh = Mesh.load(ply, unit_m=1.0)
    rows = np.concatenate([mesh.vertices, mesh.colours], axis=1)
    lines = ["v " + " ".join(map(repr, row)) for row in rows.tolist()]
    lines += ["f " + " ".join(map(str, face)) for face in (mesh.faces + 1).tolist()]
    ply.with_suffix(".obj").write_text("\n".join(lines) + "\n")
    ply.unlink()
    assert dataset_path(config, tmp_path) == before


def test_backgrounds_are_stored_once(tiny: BuildConfig, built: Path, tmp_path: Path) -> None:
    """Datasets with the same pictures share one file; another seed makes another one."""
    configs = [replace(tiny, objects=("cat",), train=2, validation=0, test=0), replace(tiny, train=3)]
    shutil.copytree(built.parent / ".build" / "standins", tmp_path / ".build" / "standins")
    paths = [build(config, tmp_path, workers=1, progress=False) for config in configs]
    (stored,) = (tmp_path / "backgrounds").iterdir()
    files = [path / "backgrounds.arrow" for path in paths]
    assert all(file.samefile(stored) for file in files)
    assert stored.read_bytes() == (built / "backgrounds.arrow").read_bytes()
    stored.unlink()  # to save space: datasets keep theirs
    verify(paths[0])
    stored.write_bytes(b"damaged")
    again = build(replace(tiny, train=1), tmp_path, workers=1, progress=False)
    verify(again)
    assert stored.samefile(again / "backgrounds.arrow")
    build(replace(configs[0], seed=1), tmp_path, workers=1, progress=False)
    assert len(list((tmp_path / "backgrounds").iterdir())) == 2


def test_only_named_objects_hide_others(tiny: BuildConfig, built: Path, tmp_path: Path) -> None:
    """Without occluders the same views are whole; with the ape alone, nothing hides the ape."""
    shutil.copytree(built.parent / ".build" / "standins", tmp_path / ".build" / "standins")
    pixels: dict[tuple[str, ...], dict[str, int]] = {}
    for names in ((), ("ape",), ("ape", "cat")):
        config = replace(tiny, validation=0, test=0, occluders=names)
        records = ArrowDataset(build(config, tmp_path, workers=1, progress=False)).split("train")
        pixels[names] = {record.sample_id: int(np.count_nonzero(record.mask)) for record in records}
    whole, by_ape, by_both = pixels.values()
    hidden = {name for name, count in by_ape.items() if count < whole[name]}
    assert hidden
    assert all("/cat/" in name for name in hidden)
    assert {name for name, count in by_both.items() if count < whole[name]} > hidden


def test_damaged_leftovers_are_made_again(tiny: BuildConfig, built: Path, tmp_path: Path) -> None:
    work = tmp_path / ".build" / built.name
    work.mkdir(parents=True)
    whole = contents(built)["train-00000.arrow"]
    (work / "train-00000.arrow").write_bytes(whole[: len(whole) // 2])
    (work / "train-00001.arrow.123.partial").write_bytes(b"x")
    assert contents(build(tiny, tmp_path, workers=1, progress=False)) == contents(built)


@pytest.mark.slow
def test_failure_in_a_worker_reaches_the_user(bop_dir: Path, tmp_path: Path) -> None:
    (bop_dir / "test" / "000006" / "mask_visib" / "000001_000001.png").write_bytes(b"x")
    config = BuildConfig(objects=("cat",), source=bop_dir, train=8, validation=0, test=0, background_count=2)
    with pytest.raises(UserError, match=r"000001_000001\.png"):
        build(config, tmp_path / "data", workers=2, progress=False)
    assert not dataset_path(config, tmp_path / "data").exists()


def test_place_that_cannot_be_written_is_named(tiny: BuildConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write below .*file: not a directory; .*another --root"):
        build(tiny, tmp_path / "file", progress=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objects": ()}, "no object"),
        ({"objects": ("cart",)}, "cat"),
        ({"train": -1}, "train is -1"),
        ({"occluders": ("dukc",)}, "duck"),
        ({"background_count": 0}, "background_count is 0"),
        ({"mesh_resolution": 4}, "mesh_resolution is 4"),
        ({"train": 0, "validation": 0, "test": 0}, "nothing to build"),
        ({"source": Path("nowhere")}, "no data at .*nowhere"),
        ({"backgrounds": Path("nowhere")}, "nowhere"),
    ],
)
def test_bad_settings_are_explained(
    tiny: BuildConfig, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        build(replace(tiny, **change), tmp_path, progress=False)  # type: ignore[arg-type]


def test_folder_without_manifest_in_the_way_is_named(tiny: BuildConfig, tmp_path: Path) -> None:
    dataset_path(tiny, tmp_path).mkdir()
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        build(tiny, tmp_path, progress=False)
