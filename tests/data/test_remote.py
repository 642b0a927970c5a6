"""Remote datasets: one verified copy per node, whoever asks first, however often it was broken off."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem, SubTreeFileSystem

from epropnp.data.cache import cache_dir
from epropnp.data.manifest import verify
from epropnp.data.reader import ArrowDataset
from epropnp.data.remote import synchronise
from epropnp.data.schema import BACKGROUNDS_FILE, MANIFEST, OBJECTS_FILE
from epropnp.errors import UserError
from tests.data.sets import DATASET_ID, ROWS, write_dataset

FILES = {MANIFEST, OBJECTS_FILE, BACKGROUNDS_FILE, "train-00000.arrow", "train-00001.arrow"}


class Store:
    """An object store as pyarrow sees one: a folder whose reads are counted, and fail where told to."""

    protocol = "store"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: list[str] = []
        self.errors: dict[str, OSError] = {}

    def isfile(self, path: str) -> bool:
        return (self.folder / path).is_file()

    def open(self, path: str, mode: str) -> Any:
        self.read.append(Path(path).name)
        if Path(path).name in self.errors:
            raise self.errors[Path(path).name]
        return (self.folder / path).open(mode)

    @property
    def filesystem(self) -> PyFileSystem:
        return PyFileSystem(FSSpecHandler(self))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "set")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EPROPNP_CACHE", str(tmp_path / "cache"))
    return cache_dir()


def test_a_uri_is_copied_once_and_then_read_from_the_cache(source: Path, cache: Path) -> None:
    dataset = ArrowDataset(f"file://{source}")
    assert dataset.path.parent == cache / "datasets"
    assert dataset.path.name.startswith(DATASET_ID)
    assert {file.name for file in dataset.path.iterdir()} == FILES
    assert len(ArrowDataset.verified(f"file://{source}").split("train")) == ROWS
    changed = {file: file.stat().st_mtime_ns for file in dataset.path.iterdir()}
    (source / "train-00000.arrow").unlink()  # it is not needed any more
    assert ArrowDataset(f"file://{source}/").path == dataset.path
    assert {file: file.stat().st_mtime_ns for file in dataset.path.iterdir()} == changed


def test_a_path_is_read_in_place(source: Path, cache: Path) -> None:
    assert ArrowDataset(source).path == ArrowDataset(str(source)).path == source
    assert not cache.exists()


def test_a_subtree_is_a_file_system_too(source: Path) -> None:
    filesystem = SubTreeFileSystem(str(source.parent), LocalFileSystem())
    verify(synchronise(filesystem, source.name, "a subtree"))


def test_another_version_at_the_same_address_is_another_copy(source: Path) -> None:
    first = ArrowDataset(f"file://{source}").path
    manifest = json.loads((source / MANIFEST).read_text())
    (source / MANIFEST).write_text(json.dumps(manifest | {"config": {"seed": 1}}))
    assert ArrowDataset(f"file://{source}").path != first


def test_a_broken_copy_goes_on_with_the_files_it_lacks(source: Path, cache: Path) -> None:
    store = Store(source.parent)
    store.errors["train-00001.arrow"] = OSError("connection lost")
    with pytest.raises(UserError, match=r"store/train-00001\.arrow cannot be read \(connection lost\)"):
        synchronise(store.filesystem, "set", "store")
    assert not list((cache / "datasets").glob("[!.]*"))  # nothing that looks like a dataset
    store.errors.clear()
    store.read.clear()
    verify(synchronise(store.filesystem, "set", "store"))
    assert "train-00001.arrow" in store.read
    assert len(store.read) < len(FILES)
    assert not list((cache / "datasets").glob("*/*.partial"))


def test_what_arrives_damaged_is_not_kept(source: Path, cache: Path) -> None:
    content = bytearray((source / OBJECTS_FILE).read_bytes())
    content[100] ^= 1
    (source / OBJECTS_FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"objects\.arrow differs from its SHA-256"):
        ArrowDataset(f"file://{source}")
    assert not list((cache / "datasets").glob(f"*/{OBJECTS_FILE}"))
    content[100] ^= 1
    (source / OBJECTS_FILE).write_bytes(content)
    verify(ArrowDataset(f"file://{source}").path)


def test_two_processes_at_once_make_one_copy(source: Path, cache: Path) -> None:
    """Each says what it copied (one write per name, for several threads speak): together every file once."""
    code = (
        "import sys; from epropnp.data import remote; copy = remote._copy_file\n"
        "def say(*a): sys.stdout.write(a[2].rpartition('/')[2] + chr(10)); copy(*a)\n"
        "remote._copy_file = say; print(remote.local_copy(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, f"file://{source}"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    lines = [line for run in runs for line in run.communicate(timeout=60)[0].split()]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert sorted(line for line in lines if "/" not in line) == sorted(FILES - {MANIFEST})
    assert len({line for line in lines if "/" in line}) == 1


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("file:///nowhere/at/all", r"/nowhere/at/all/manifest\.json does not exist: check the address"),
        ("ftp://example.org/set", "ftp://example.org/set cannot be reached .*: check the address"),
        ("file://host/path", "file://host/path cannot be reached .*: check the address"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_clear_error(uri: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        ArrowDataset(uri)


def test_missing_rights_are_said(source: Path) -> None:
    store = Store(source.parent)
    store.errors[MANIFEST] = PermissionError(13, "Access Denied")
    said = r"store/manifest\.json cannot be read \(.*Access Denied.*\): .*rights"
    with pytest.raises(UserError, match=said):
        synchronise(store.filesystem, "set", "store")


def test_a_cache_that_cannot_be_written_is_said(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPROPNP_CACHE", str(source / MANIFEST))
    with pytest.raises(UserError, match=r"cannot copy .*set to .*EPROPNP_CACHE name another folder"):
        ArrowDataset(f"file://{source}")


def test_a_remote_manifest_cannot_reach_out_of_the_cache(source: Path, tmp_path: Path) -> None:
    manifest = json.loads((source / MANIFEST).read_text())
    shard = manifest["splits"]["train"]["shards"][0]
    os.rename(source / shard["file"], tmp_path / shard["file"])
    shard["file"] = "../" + shard["file"]
    (source / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match="contradicts itself"):
        ArrowDataset(f"file://{source}")
