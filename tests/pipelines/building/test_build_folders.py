"""Datasets from folders in either layout: what is real, what is rendered, what is said about it."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from epropnp.data.manifest import verify
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import SPLITS
from epropnp.errors import UserError
from pipelines.building.build import BuildConfig, build
from pipelines.prepare import main
from tests.pipelines.folders import bop_files, cdpn_files, write_files


def build_small(source: Path, objects: tuple[str, ...], **settings: int) -> ArrowDataset:
    counts = {"train": 3, "validation": 2, "test": 1} | settings
    config = BuildConfig(objects=objects, source=source, background_count=1, **counts)  # type: ignore[arg-type]
    path = build(config, source.parent / "data", workers=1, progress=False)
    verify(path)
    return ArrowDataset(path)


def kinds(dataset: ArrowDataset) -> dict[str, dict[str, int]]:
    """Rows by split and beginning of the sample's id."""
    found: dict[str, dict[str, int]] = {split: {} for split in SPLITS}
    for split in SPLITS:
        for record in dataset.split(split):
            kind = "/".join(record.sample_id.split("/")[:2])
            found[split][kind] = found[split].get(kind, 0) + 1
    return found


def test_own_bop_data_set(tmp_path: Path) -> None:
    source = write_files(bop_files(), tmp_path / "own")
    dataset = build_small(source, ("obj_000007", "obj_000001"))
    assert [model.name for model in dataset.objects.values()] == ["obj_000001", "obj_000007"]
    assert kinds(dataset) == {
        "train": {"bop/train_real": 9, "synthetic/obj_000001": 3, "synthetic/obj_000007": 3},
        "validation": {"bop/train_real": 3},
        "test": {"bop/test": 6},
    }
    assert dataset.manifest["notes"] == {}
    assert dataset.manifest["config"]["source"] == "bop"
    ids = [record.sample_id for split in SPLITS for record in dataset.split(split)]
    assert len(set(ids)) == len(ids) == 24
    instances = [name for name in ids if name.startswith("bop/test/000002/000000")]
    assert sorted(name[-6:] for name in instances) == ["000000", "000001", "000002"]


def test_renderings_train_and_validate_where_a_set_only_tests(tmp_path: Path) -> None:
    source = write_files(bop_files(), tmp_path / "own")
    shutil.rmtree(source / "train_real")
    dataset = build_small(source, ("obj_000001",))
    assert kinds(dataset) == {
        "train": {"synthetic/obj_000001": 3},
        "validation": {"synthetic/obj_000001": 2},
        "test": {"bop/test": 4},
    }
    assert (dataset.manifest["config"]["validation"], dataset.manifest["config"]["test"]) == (2, 0)


def test_cdpn_renderings_count_towards_those_asked_for(tmp_path: Path) -> None:
    source = write_files(cdpn_files(), tmp_path / "lm")
    dataset = build_small(source, ("cat",))
    assert kinds(dataset) == {
        "train": {"cdpn/real_train": 2, "cdpn/imgn": 2, "synthetic/cat": 1},
        "validation": {"cdpn/real_train": 1},
        "test": {"cdpn/real_test": 2},
    }
    train = dataset.split("train")
    assert train.column("synthetic").tolist() == [False, False, True, True, True]
    assert all(record.detected_box is not None for record in dataset.split("test"))
    fewer = build_small(source, ("cat",), train=1)
    assert kinds(fewer)["train"] == {"cdpn/real_train": 2, "cdpn/imgn": 1}
    assert fewer.manifest["notes"] == {"cat": {"renderings not used: more than asked for": 1}}


def test_both_layouts_give_the_same_records(tmp_path: Path) -> None:
    """The same frames, kept in CDPN's way and exported to BOP's."""
    first = build_small(write_files(cdpn_files(), tmp_path / "lm"), ("ape", "cat"), train=0)
    arguments = ["export", str(first.path), "--output", str(tmp_path / "bop")]
    assert main([*arguments, "--source", str(tmp_path / "lm")]) == 0
    second = build_small(tmp_path / "bop", ("ape", "cat"), train=0)
    for split in SPLITS:
        for record, expected in zip(second.split(split), first.split(split), strict=True):
            for name in ("K", "T_cam_obj", "mask", "box", "rgb"):
                np.testing.assert_array_equal(getattr(record, name), getattr(expected, name))
            assert np.abs(record.coords.astype(int) - expected.coords.astype(int)).max() <= 1


def test_split_lists_may_be_given(tmp_path: Path) -> None:
    source = write_files(bop_files(), tmp_path / "own")
    lists = write_files(
        {"obj_000007_train.txt": b"train_real/000001/0 0", "obj_000007_test.txt": b"1"}, tmp_path / "lists"
    )
    config = BuildConfig(objects=("obj_000007",), source=source, splits=lists, train=0, background_count=1)
    dataset = ArrowDataset(build(config, tmp_path / "data", workers=1, progress=False))
    assert {split: len(dataset.split(split)) for split in SPLITS} == {"train": 1, "validation": 1, "test": 1}
    assert dataset.manifest["notes"] == {"obj_000007": {"pictures in no split list": 3}}
    with pytest.raises(UserError, match="give the source, too"):
        build(BuildConfig(objects=("cat",), splits=lists), tmp_path, progress=False)


def test_objects_are_looked_up_in_the_source(tmp_path: Path) -> None:
    source = write_files(bop_files(), tmp_path / "own")
    with pytest.raises(UserError, match=r"unknown object 'cat' \(valid: obj_000001, obj_000007\)"):
        build_small(source, ("cat",))
