"""Damage: `verify` names the file, and a training refuses to start."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from epropnp.data import manifest as manifest_module
from epropnp.data.manifest import verify
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import BACKGROUNDS_FILE, MANIFEST, OBJECTS_FILE, RECORD_SCHEMA, SCHEMA_VERSION
from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from epropnp.training.trainer import Trainer
from tests.data.sets import make_record, write_dataset

Harm = Callable[[Path], None]
FIRST, SECOND = "train-00000.arrow", "train-00001.arrow"


def flip_byte(name: str) -> Harm:
    def harm(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)

    harm.__name__ = "flip_byte"
    return harm


def truncate(folder: Path) -> None:
    os.truncate(folder / FIRST, (folder / FIRST).stat().st_size - 100)


def delete_shard(folder: Path) -> None:
    (folder / SECOND).unlink()


def delete_manifest(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def swap_shards(folder: Path) -> None:
    (folder / FIRST).rename(folder / "x")
    (folder / SECOND).rename(folder / FIRST)
    (folder / "x").rename(folder / SECOND)


def swap_rows(folder: Path) -> None:
    """Exchange the first record batches of two shards: sizes and row counts stay as they are."""
    tables = [pa.ipc.open_file(pa.BufferReader((folder / name).read_bytes())) for name in (FIRST, SECOND)]
    batches = [[t.get_batch(i) for i in range(t.num_record_batches)] for t in tables]
    batches[0][0], batches[1][0] = batches[1][0], batches[0][0]
    for name, parts in zip((FIRST, SECOND), batches, strict=True):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_file(sink, RECORD_SCHEMA) as writer:
            for part in parts:
                writer.write_batch(part)


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset")


@pytest.fixture
def equal_shards(tmp_path: Path) -> Path:
    """A dataset whose shards have the same size to the byte."""
    folder = write_dataset(tmp_path / "dataset", [make_record(i, side=40) for i in range(40)])
    assert (folder / FIRST).stat().st_size == (folder / SECOND).stat().st_size
    return folder


def test_what_was_written_is_accepted(dataset_dir: Path) -> None:
    verify(dataset_dir)
    assert len(ArrowDataset.verified(dataset_dir).split("train")) == 37


HARMS = [
    (flip_byte(FIRST), FIRST),
    (flip_byte(SECOND), SECOND),
    (flip_byte(OBJECTS_FILE), OBJECTS_FILE),
    (flip_byte(BACKGROUNDS_FILE), BACKGROUNDS_FILE),
    (truncate, FIRST),
    (delete_shard, SECOND),
    (delete_manifest, MANIFEST),
    (swap_shards, FIRST),
    (swap_rows, FIRST),
]


@pytest.mark.parametrize("equal", [False, True], ids=["shards of two sizes", "of one size"])
@pytest.mark.parametrize(("harm", "named"), HARMS, ids=[f"{h.__name__} {n}" for h, n in HARMS])
def test_damage_is_named_by_verify_and_refused_by_training(
    request: pytest.FixtureRequest, tmp_path: Path, harm: Harm, named: str, equal: bool
) -> None:
    folder: Path = request.getfixturevalue("equal_shards" if equal else "dataset_dir")
    ArrowDataset.verified(folder)  # that it was whole once must not help it
    harm(folder)
    with pytest.raises(UserError, match=named):
        verify(folder)
    with pytest.raises(UserError, match=named):
        Trainer(TrialConfig(), folder, tmp_path / "work", "cpu")


@pytest.mark.parametrize("harm", [truncate, delete_shard, delete_manifest, swap_shards])
def test_whatever_changes_sizes_is_noticed_by_opening(dataset_dir: Path, harm: Harm) -> None:
    harm(dataset_dir)
    with pytest.raises(UserError, match=r"bytes|missing"):
        ArrowDataset(dataset_dir)


def test_every_byte_is_hashed_once(dataset_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    digest = manifest_module.file_digest
    monkeypatch.setattr(manifest_module, "file_digest", lambda path: hashed.append(path.name) or digest(path))
    for _ in range(3):
        ArrowDataset.verified(dataset_dir)
    assert sorted(hashed) == [BACKGROUNDS_FILE, OBJECTS_FILE, FIRST, SECOND]
    os.utime(dataset_dir / FIRST, ns=(0, 0))
    ArrowDataset.verified(dataset_dir)
    assert len(hashed) == 8


def test_a_change_behind_the_modification_times_back_is_noticed(equal_shards: Path) -> None:
    before = (equal_shards / FIRST).stat()
    ArrowDataset.verified(equal_shards)
    flip_byte(FIRST)(equal_shards)
    os.utime(equal_shards / FIRST, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(UserError, match=FIRST):
        ArrowDataset.verified(equal_shards)


def test_without_a_cache_everything_is_hashed(
    dataset_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("EPROPNP_CACHE", str(tmp_path / "file"))
    ArrowDataset.verified(dataset_dir)
    flip_byte(FIRST)(dataset_dir)
    with pytest.raises(UserError, match=FIRST):
        ArrowDataset.verified(dataset_dir)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    for use in (verify, ArrowDataset):
        with pytest.raises(UserError, match=r"no dataset at .*nowhere"):
            use(tmp_path / "nowhere")


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    (folder / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"schema_version": 2}', "\x00\xff"])
def test_what_is_no_manifest_is_named(dataset_dir: Path, text: str) -> None:
    (dataset_dir / MANIFEST).write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json is not a dataset manifest"):
        ArrowDataset(dataset_dir)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["splits"]["train"].pop("rows"),
        lambda m: m["splits"]["train"].update(rows=36),
        lambda m: m["splits"]["train"]["shards"][0].update(file="../elsewhere.arrow"),
        lambda m: m["files"].update({OBJECTS_FILE: "gone"}),
        lambda m: m.update(splits=[]),
        lambda m: m.update(dataset_id=7),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(
    dataset_dir: Path,
    change: Callable[[dict], object],
) -> None:
    edit(dataset_dir, change)
    with pytest.raises(UserError, match=r"manifest\.json is not a dataset manifest"):
        ArrowDataset(dataset_dir)


@pytest.mark.parametrize(("step", "advice"), [(1, "update this code"), (-1, "build the dataset again")])
def test_another_schema_version_says_what_to_do(dataset_dir: Path, step: int, advice: str) -> None:
    edit(dataset_dir, lambda m: m.update(schema_version=SCHEMA_VERSION + step, splits="of another kind"))
    for use in (verify, ArrowDataset):
        with pytest.raises(
            UserError, match=f"version {SCHEMA_VERSION + step}.*reads {SCHEMA_VERSION}.*{advice}"
        ):
            use(dataset_dir)
