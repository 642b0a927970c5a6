"""The dataset format: what is written is read back, in place and in full."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset, Split, read_objects
from epropnp.data.schema import BACKGROUNDS_FILE, dequantise, quantise
from epropnp.data.writer import write_records
from epropnp.errors import UserError
from tests.data.sets import DATASET_ID, ROWS, make_model, make_record, write_dataset


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
    assert split.nulls("detected_box") == 19
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
    assert dataset.dataset_id == DATASET_ID
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


def test_a_flat_object_and_one_that_stands_on_its_origin_keep_finite_coordinates() -> None:
    flat = dataclasses.replace(make_model(), bounds_min=np.zeros(3), bounds_max=np.array([0.1, 0.2, 0.0]))
    points = np.array([[0.1, 0.05, 0.0], [0.0, 0.2, 0.0]])
    np.testing.assert_allclose(dequantise(quantise(points, flat), flat), points, atol=2e-6)
    assert flat.coord_scale.tolist() == [0.1, 0.2, 1.0]
    assert make_model().coord_scale.tolist() == [0.03, 0.06, 0.05]  # |min|, as in the study


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_records(tmp_path / name, map(make_record, range(20)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_map_outside_of_its_crop_is_not_written(tmp_path: Path) -> None:
    record = dataclasses.replace(make_record(0), map_origin=np.array([25, 0], np.int32))
    with pytest.raises(ValueError, match=r"cat/train/000000: .*map_origin"):
        write_records(tmp_path / "a", [record])


def test_unknown_split_lists_the_known(dataset_dir: Path) -> None:
    with pytest.raises(UserError, match="train, validation, test"):
        ArrowDataset(dataset_dir).split("dev")


def test_foreign_columns_are_refused(dataset_dir: Path) -> None:
    with pytest.raises(UserError, match=r"backgrounds\.arrow has other columns"):
        read_objects(dataset_dir / BACKGROUNDS_FILE)


def test_a_shard_with_too_few_rows_is_refused(dataset_dir: Path) -> None:
    split = Split("train", ROWS, [dataset_dir / "train-00000.arrow"])
    with pytest.raises(UserError, match=f"20 rows, {ROWS} are expected"):
        split[0]


def test_reading_imports_neither_pandas_nor_torch(dataset_dir: Path) -> None:
    """Each would cost a second in every process that reads."""
    code = (
        "import sys; from epropnp.data.reader import ArrowDataset; data = ArrowDataset(sys.argv[1]);"
        "split = data.split('train'); split[0]; data.backgrounds[0]; split.column('synthetic');"
        "print(*{'pandas', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(dataset_dir)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == []
