"""The dataset format: what is written is read back, and damage is named."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from epropnp.data.format import (
    BACKGROUNDS_FILE,
    MANIFEST,
    OBJECTS_FILE,
    SCHEMA_VERSION,
    ArrowDataset,
    ObjectModel,
    Record,
    dequantise,
    file_digest,
    quantise,
    verify,
    write_backgrounds,
    write_objects,
    write_records,
)
from epropnp.errors import UserError

ROWS = 37  # neither a multiple of a record batch nor of a shard
SHARD_ROWS = 20


def make_model() -> ObjectModel:
    return ObjectModel(
        object_id=6,
        name="cat",
        diameter_m=0.15,
        bounds_min=np.array([-0.03, -0.06, -0.05]),
        bounds_max=np.array([0.03, 0.06, 0.07]),
        symmetric=False,
        symmetries=np.stack([np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0])]),
        points=np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32),
    )


def make_record(index: int) -> Record:
    rng = np.random.default_rng(index)
    side, height, width = 30 + index, 10 + index, 12
    mask = (rng.random((height, width)) < 0.7).astype(np.uint8) * np.uint8(255)
    coords = rng.integers(0, 65536, (height, width, 3)).astype(np.uint16)
    return Record(
        object_id=6,
        sample_id=f"synthetic/cat/train/{index:06d}",
        synthetic=index % 2 == 0,
        K=rng.normal(size=(3, 3)),
        T_cam_obj=rng.normal(size=(4, 4)),
        box=rng.uniform(0, 99, 4).astype(np.float32),
        image_size=np.array([640, 480], np.int32),
        crop_origin=np.array([-index, index], np.int32),
        rgb=rng.integers(0, 256, (side, side, 3)).astype(np.uint8),
        map_origin=np.array([index, 7], np.int32),
        mask=mask,
        coords=coords,
    )


def write_dataset(folder: Path) -> Path:
    """A small dataset with two training shards and empty other splits."""
    folder.mkdir()
    records = [make_record(i) for i in range(ROWS)]
    shards = []
    for number, start in enumerate(range(0, ROWS, SHARD_ROWS)):
        file = folder / f"train-{number:05d}.arrow"
        rows = write_records(file, records[start : start + SHARD_ROWS])
        shards.append({"file": file.name, "rows": rows, **file_digest(file)})
    write_objects(folder / OBJECTS_FILE, [make_model()])
    pictures = [np.full((256, 256, 3), i, np.uint8) for i in range(3)]
    write_backgrounds(folder / BACKGROUNDS_FILE, pictures)
    empty = {"rows": 0, "shards": []}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "dataset_id": "0123456789ab",
        "config": {},
        "source_fingerprint": "",
        "splits": {
            "train": {"rows": ROWS, "shards": shards},
            "validation": empty,
            "test": empty,
        },
        "files": {name: file_digest(folder / name) for name in (OBJECTS_FILE, BACKGROUNDS_FILE)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def dataset_dir(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "dataset")


def test_records_come_back_as_written(dataset_dir: Path) -> None:
    split = ArrowDataset(dataset_dir).split("train")
    assert len(split) == ROWS
    for index in (0, 15, 16, 19, 20, 36, -1):
        read, written = split[index], make_record(index % ROWS)
        for name, value in vars(written).items():
            np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)
            if isinstance(value, np.ndarray):
                assert getattr(read, name).dtype == value.dtype, name
    with pytest.raises(IndexError):
        split[ROWS]


def test_records_are_views_of_the_memory_map(dataset_dir: Path) -> None:
    record = ArrowDataset(dataset_dir).split("train")[3]
    for array in (record.rgb, record.mask, record.coords, record.K):
        assert not array.flags.owndata
        assert not array.flags.writeable


def test_a_column_is_read_without_the_images(dataset_dir: Path) -> None:
    split = ArrowDataset(dataset_dir).split("train")
    assert split.column("object_id").tolist() == [6] * ROWS
    assert split.column("synthetic").tolist() == [i % 2 == 0 for i in range(ROWS)]
    assert split.column("sample_id")[36] == "synthetic/cat/train/000036"


def test_objects_and_backgrounds_come_back(dataset_dir: Path) -> None:
    dataset = ArrowDataset(dataset_dir)
    assert dataset.dataset_id == "0123456789ab"
    read, written = dataset.objects[6], make_model()
    for name, value in vars(written).items():
        np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)
    assert len(dataset.backgrounds) == 3
    assert dataset.backgrounds[2].shape == (256, 256, 3)
    assert np.all(dataset.backgrounds[2] == 2)


def test_dataset_and_split_pickle_by_path(dataset_dir: Path) -> None:
    dataset = ArrowDataset(dataset_dir)
    split = dataset.split("train")
    assert split[0].object_id == 6  # mapped before pickling
    assert len(pickle.dumps(split)) < 5000
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(split))[20].rgb, split[20].rgb)
    assert pickle.loads(pickle.dumps(dataset)).dataset_id == dataset.dataset_id


def test_empty_split_has_no_rows(dataset_dir: Path) -> None:
    split = ArrowDataset(dataset_dir).split("test")
    assert len(split) == 0
    assert split.column("object_id").size == 0
    with pytest.raises(IndexError):
        split[0]


def test_quantisation_error_is_half_a_step() -> None:
    model = make_model()
    rng = np.random.default_rng(1)
    points = rng.uniform(model.bounds_min, model.bounds_max, (1000, 3))
    back = dequantise(quantise(points, model), model)
    half_step = (model.bounds_max - model.bounds_min) / 65535 / 2
    assert back.dtype == np.float32
    assert np.all(np.abs(back - points) <= half_step + 1e-8)
    corners = np.stack([model.bounds_min, model.bounds_max])
    assert quantise(corners, model).tolist() == [[0] * 3, [65535] * 3]


def test_verify_accepts_what_was_written(dataset_dir: Path) -> None:
    verify(dataset_dir)


@pytest.mark.parametrize("name", ["train-00001.arrow", OBJECTS_FILE, BACKGROUNDS_FILE])
def test_verify_names_the_file_with_a_flipped_byte(dataset_dir: Path, name: str) -> None:
    content = bytearray((dataset_dir / name).read_bytes())
    content[len(content) // 2] ^= 1
    (dataset_dir / name).write_bytes(content)
    with pytest.raises(UserError, match=name):
        verify(dataset_dir)


def test_truncated_shard_is_named_by_verify_and_by_the_reader(dataset_dir: Path) -> None:
    file = dataset_dir / "train-00000.arrow"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"train-00000\.arrow.*bytes"):
        verify(dataset_dir)
    with pytest.raises(UserError, match=r"train-00000\.arrow.*damaged"):
        ArrowDataset(dataset_dir).split("train")[0]


def test_verify_names_swapped_shards(dataset_dir: Path) -> None:
    first, second = dataset_dir / "train-00000.arrow", dataset_dir / "train-00001.arrow"
    first.rename(dataset_dir / "x")
    second.rename(first)
    (dataset_dir / "x").rename(second)
    with pytest.raises(UserError, match=r"train-00000\.arrow"):
        verify(dataset_dir)


def test_missing_shard_is_named(dataset_dir: Path) -> None:
    (dataset_dir / "train-00001.arrow").unlink()
    with pytest.raises(UserError, match=r"train-00001\.arrow is missing"):
        verify(dataset_dir)
    with pytest.raises(UserError, match=r"train-00001\.arrow is missing"):
        ArrowDataset(dataset_dir).split("train")[0]


def test_missing_manifest_and_folder_are_named(dataset_dir: Path) -> None:
    (dataset_dir / MANIFEST).unlink()
    for use in (verify, ArrowDataset):
        with pytest.raises(UserError, match=r"manifest\.json is missing"):
            use(dataset_dir)
        with pytest.raises(UserError, match="no dataset at"):
            use(dataset_dir / "nowhere")


def test_broken_manifest_is_named(dataset_dir: Path) -> None:
    for text in ("{", "[]", "{}"):
        (dataset_dir / MANIFEST).write_text(text)
        with pytest.raises(UserError, match="not a dataset manifest"):
            ArrowDataset(dataset_dir)


def test_newer_schema_asks_for_newer_code(dataset_dir: Path) -> None:
    manifest = json.loads((dataset_dir / MANIFEST).read_text())
    manifest["schema_version"] = SCHEMA_VERSION + 1
    (dataset_dir / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=f"version {SCHEMA_VERSION + 1}.*update this code"):
        ArrowDataset(dataset_dir)


def test_unknown_split_lists_the_known(dataset_dir: Path) -> None:
    with pytest.raises(UserError, match="train, validation, test"):
        ArrowDataset(dataset_dir).split("dev")


def test_foreign_columns_are_refused(dataset_dir: Path) -> None:
    (dataset_dir / BACKGROUNDS_FILE).replace(dataset_dir / OBJECTS_FILE)
    with pytest.raises(UserError, match=r"objects\.arrow has other columns"):
        ArrowDataset(dataset_dir)
