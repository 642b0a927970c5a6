"""Datasets that are tested on the same images say so, whatever else is in them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import MANIFEST
from pipelines.building.build import BuildConfig, build


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """A folder for datasets, with the meshes of `built`."""
    shutil.copytree(built.parent / ".build" / "standins", tmp_path / "data" / ".build" / "standins")
    return tmp_path / "data"


def test_the_same_test_for_another_training_at_another_place(
    tiny: BuildConfig, built: Path, root: Path
) -> None:
    """Shards are larger here, too."""
    other = ArrowDataset(build(replace(tiny, train=2, validation=1), root, workers=1, progress=False))
    assert other.dataset_id != built.name
    assert other.test_id == ArrowDataset(built).test_id
    assert other.manifest["test_id"] == other.test_id


@pytest.mark.slow
def test_the_same_test_by_several_workers(tiny: BuildConfig, built: Path, root: Path) -> None:
    other = build(replace(tiny, train=2), root, workers=2, progress=False)
    assert ArrowDataset(other).test_id == ArrowDataset(built).test_id


@pytest.mark.parametrize("change", [{"seed": 1}, {"test": 4}, {"objects": ("cat",)}])
def test_another_test(tiny: BuildConfig, built: Path, root: Path, change: dict[str, object]) -> None:
    config = replace(tiny, train=1, validation=0, **change)  # type: ignore[arg-type]
    other = build(config, root, workers=1, progress=False)
    assert ArrowDataset(other).test_id != ArrowDataset(built).test_id


def test_a_dataset_from_before_is_read_as_ever(built: Path, tmp_path: Path) -> None:
    """It states one version and no test."""
    folder = Path(shutil.copytree(built, tmp_path / "old"))
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["test_id"], manifest["versions"]
    (folder / MANIFEST).write_text(json.dumps(manifest | {"renderer_version": 2}))
    assert ArrowDataset.verified(folder).test_id == ArrowDataset(built).test_id
