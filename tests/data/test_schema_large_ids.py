"""Numbers of objects beyond 32,767: kept in four bytes, while files of smaller ones stay as they were."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from epropnp.data.reader import Split, read_objects
from epropnp.data.schema import LARGEST_ID, OBJECT_SCHEMA, RECORD_SCHEMA
from epropnp.data.writer import write_objects, write_records
from epropnp.evaluation.predictions import Predictions
from tests.data.sets import make_model, make_record
from tests.evaluation.known_errors import predictions

IDS = [32767, 32768, 40000, LARGEST_ID]


def type_of_ids(file: Path) -> pa.DataType:
    return pa.ipc.open_file(file).schema.field("object_id").type


def test_the_format_of_small_numbers_is_the_old_one() -> None:
    assert RECORD_SCHEMA.field("object_id").type == OBJECT_SCHEMA.field("object_id").type == pa.int16()


@pytest.mark.parametrize("object_id", IDS)
def test_records_and_objects_come_back(tmp_path: Path, object_id: int) -> None:
    records, objects = tmp_path / "train-00000.arrow", tmp_path / "objects.arrow"
    given = [dataclasses.replace(make_record(i), object_id=object_id) for i in range(2)]
    assert write_records(records, given, object_id) == 2
    write_objects(objects, [dataclasses.replace(make_model(), object_id=object_id)])
    kind = pa.int16() if object_id == 32767 else pa.int32()
    assert type_of_ids(records) == type_of_ids(objects) == kind
    assert [record.object_id for record in Split("train", 2, [records])] == [object_id] * 2
    assert list(read_objects(objects)) == [object_id]


@pytest.mark.parametrize("largest", IDS[:2])
def test_points_of_the_bop_metrics_have_a_column_where_an_object_has_them(
    tmp_path: Path, largest: int
) -> None:
    """Files of other objects keep their columns, and so their bytes."""
    plain = dataclasses.replace(make_model(), object_id=largest)
    apart = dataclasses.replace(make_model(), points_bop=make_model().points[::2])
    old, new = tmp_path / "old.arrow", tmp_path / "new.arrow"
    write_objects(old, [plain])
    write_objects(new, [apart, plain])
    assert pa.ipc.open_file(old).schema.names == OBJECT_SCHEMA.names
    assert pa.ipc.open_file(new).schema.names == [*OBJECT_SCHEMA.names, "points_bop"]
    found = read_objects(new)
    assert found[largest].points_bop is None
    assert read_objects(old)[largest].points_bop is None
    np.testing.assert_array_equal(found[6].points_bop, apart.points_bop)
    np.testing.assert_array_equal(found[6].points, apart.points)


def test_shards_of_both_widths_make_one_column(tmp_path: Path) -> None:
    files = [tmp_path / "train-00000.arrow", tmp_path / "train-00001.arrow"]
    for file, object_id in zip(files, (6, 40000), strict=True):
        write_records(file, [dataclasses.replace(make_record(0), object_id=object_id)], object_id)
    split = Split("train", 2, files)
    assert split.column("object_id").tolist() == [6, 40000]
    assert split.column("synthetic").tolist() == [True, True]


@pytest.mark.parametrize("object_id", [6, *IDS])
def test_predictions_come_back(tmp_path: Path, object_id: int) -> None:
    poses = np.tile(np.eye(4), (3, 1, 1))
    given = dataclasses.replace(predictions(poses, poses), object_id=np.full(3, object_id))
    given.write(tmp_path / "p.parquet")
    assert Predictions.read(tmp_path / "p.parquet").object_id.tolist() == [object_id] * 3
