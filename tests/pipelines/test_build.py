"""Building: the same bytes whatever the workers, the path, a kill or a second builder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.format import ArrowDataset, dequantise, verify
from epropnp.errors import UserError
from pipelines import build as build_module
from pipelines import shards
from pipelines.build import BuildConfig, build, dataset_path
from pipelines.camera_views import project

REPOSITORY = Path(__file__).parents[2]
SHARD_ROWS = 4
CONFIG = BuildConfig(
    objects=("cat", "ape"),
    train=12,
    validation=3,
    test=3,
    mesh_resolution=24,
    background_count=3,
)
SCRIPT = """
import sys
from pathlib import Path
from pipelines import shards
from pipelines.build import BuildConfig, build
shards.SHARD_ROWS = {rows}
if __name__ == "__main__":
    build({config!r}, Path({root!r}), workers={workers}, progress=False)
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", SHARD_ROWS)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference: one process, no interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_ROWS", SHARD_ROWS)
        return build(CONFIG, tmp_path_factory.mktemp("reference"), workers=1, progress=False)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def start_builder(root: Path, folder: Path, workers: int = 1) -> subprocess.Popen[bytes]:
    script = folder / "builder.py"
    text = SCRIPT.format(rows=SHARD_ROWS, config=CONFIG, root=str(root), workers=workers)
    script.write_text(text.replace("PosixPath", "Path"))
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(script)], env=environment)


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


def test_second_build_does_nothing(built: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in built.iterdir()}
    assert build(CONFIG, built.parent, progress=False) == built
    assert {file: file.stat().st_mtime_ns for file in built.iterdir()} == before


def test_bytes_depend_on_neither_path_nor_workers_nor_object_order(built: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, objects=("ape", "cat", "ape"))
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
    ],
)
def test_id_depends_on_every_setting(built: Path, change: dict[str, object]) -> None:
    assert dataset_path(replace(CONFIG, **change), built.parent) != built  # type: ignore[arg-type]


def test_id_depends_on_renderer_and_schema(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RENDERER_VERSION", "SCHEMA_VERSION"):
        with monkeypatch.context() as patch:
            patch.setattr(build_module, name, 99)
            assert dataset_path(CONFIG, built.parent) != built


def test_id_depends_on_what_files_hold_not_on_where_they_lie(bop_dir: Path, tmp_path: Path) -> None:
    config = BuildConfig(objects=("cat",), source=bop_dir, train=2, validation=0, test=0)
    first = dataset_path(config, tmp_path)
    moved = shutil.copytree(bop_dir, tmp_path / "moved")
    assert dataset_path(replace(config, source=moved), tmp_path) == first
    picture = moved / "test" / "000006" / "rgb" / "000001.png"
    cv2.imwrite(str(picture), 255 - cv2.imread(str(picture)))
    assert dataset_path(replace(config, source=moved), tmp_path) != first


def test_photographs_enter_the_id_by_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "x.png"), np.full((64, 64, 3), 9, np.uint8))
    first, second = (dataset_path(replace(CONFIG, backgrounds=tmp_path / name), tmp_path) for name in "ab")
    assert first == second != dataset_path(CONFIG, tmp_path)
    cv2.imwrite(str(tmp_path / "b" / "x.png"), np.full((64, 64, 3), 8, np.uint8))
    assert dataset_path(replace(CONFIG, backgrounds=tmp_path / "b"), tmp_path) != first


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
    assert splits["test"].column("sample_id").tolist() == ["lm/000006/000001", "lm/000006/000003"]
    assert dataset.manifest["skipped"] == {"cat": {"test pictures not on disk": 1}}
    assert str(tmp_path) not in (path / "manifest.json").read_text()


def test_killed_build_resumes_to_the_same_bytes(built: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    work = root / ".build" / built.name
    builder = start_builder(root, tmp_path, workers=2)
    deadline = time.monotonic() + 60
    while len(list(work.glob("*-0000?.arrow"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    builder.send_signal(signal.SIGKILL)
    builder.wait()
    assert not (root / built.name).exists(), "the kill came too late"
    kept = {file: file.stat().st_mtime_ns for file in work.glob("*-0000?.arrow")}
    assert len(kept) >= 2
    path = build(CONFIG, root, workers=1, progress=False)
    assert contents(path) == contents(built)
    for file, written_at in kept.items():
        assert (path / file.name).stat().st_mtime_ns == written_at, f"{file.name} was made again"


def test_damaged_leftovers_are_made_again(built: Path, tmp_path: Path) -> None:
    work = tmp_path / ".build" / built.name
    work.mkdir(parents=True)
    whole = contents(built)["train-00000.arrow"]
    (work / "train-00000.arrow").write_bytes(whole[: len(whole) // 2])
    (work / "train-00001.arrow.123.partial").write_bytes(b"x")
    assert contents(build(CONFIG, tmp_path, workers=1, progress=False)) == contents(built)


def test_two_builders_at_once_give_one_dataset(built: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    builders = [start_builder(root, tmp_path) for _ in range(2)]
    assert [builder.wait(timeout=120) for builder in builders] == [0, 0]
    assert [folder.name for folder in root.iterdir() if folder.name != ".build"] == [built.name]
    assert contents(root / built.name) == contents(built)


def test_failure_in_a_worker_reaches_the_user(bop_dir: Path, tmp_path: Path) -> None:
    (bop_dir / "test" / "000006" / "mask_visib" / "000001_000001.png").write_bytes(b"x")
    config = BuildConfig(objects=("cat",), source=bop_dir, train=8, validation=0, test=0, background_count=2)
    with pytest.raises(UserError, match=r"000001_000001\.png"):
        build(config, tmp_path / "data", workers=2, progress=False)
    assert not dataset_path(config, tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"objects": ()}, "no object"),
        ({"objects": ("cart",)}, "cat"),
        ({"train": -1}, "train is -1"),
        ({"background_count": 0}, "background_count is 0"),
        ({"mesh_resolution": 4}, "mesh_resolution is 4"),
        ({"train": 0, "validation": 0, "test": 0}, "nothing to build"),
        ({"source": Path("nowhere")}, "no data folder at nowhere"),
        ({"backgrounds": Path("nowhere")}, "nowhere"),
    ],
)
def test_bad_settings_are_explained(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build(replace(CONFIG, **change), tmp_path, progress=False)  # type: ignore[arg-type]


def test_folder_without_manifest_in_the_way_is_named(tmp_path: Path) -> None:
    dataset_path(CONFIG, tmp_path).mkdir()
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        build(CONFIG, tmp_path, progress=False)
