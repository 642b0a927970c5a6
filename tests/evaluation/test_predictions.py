"""The prediction file: everything comes back, and what cannot be read is said in one line."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from epropnp.errors import UserError
from epropnp.evaluation.predictions import (
    OBJECTS_KEY,
    SCHEMA,
    VERSION_KEY,
    Posterior,
    Predictions,
)
from epropnp.inference.temperature import Temperature, Temperatures
from tests.evaluation.known_errors import model, pose, predictions, turn


@pytest.fixture
def sampled() -> Predictions:
    rng = np.random.default_rng(0)
    made = predictions(np.concatenate([pose(turn("x", 3)), pose()]), np.concatenate([pose(), pose()]))
    return dataclasses.replace(
        made,
        covariance=rng.normal(size=(2, 6, 6)),
        valid=np.array([True, False]),
        posterior=Posterior(**{f.name: rng.random(2) for f in dataclasses.fields(Posterior)}),
        temperatures=Temperatures(posterior=Temperature(scale=1.25, tail=0.1)),
        objects={6: model(), 7: dataclasses.replace(model("cup"), object_id=7)},
    )


def test_round_trip(sampled: Predictions, tmp_path: Path) -> None:
    sampled.write(tmp_path / "p.parquet")
    read = Predictions.read(tmp_path / "p.parquet")
    assert read.sample_id == sampled.sample_id
    for name in ("object_id", "T_pred", "T_true", "K", "image_size", "crop", "covariance", "cost", "valid"):
        np.testing.assert_array_equal(getattr(read, name), getattr(sampled, name), err_msg=name)
    for field in dataclasses.fields(Posterior):
        np.testing.assert_array_equal(
            getattr(read.posterior, field.name), getattr(sampled.posterior, field.name)
        )
    assert read.temperatures == sampled.temperatures
    assert list(read.objects) == [6]  # the cup is in no image
    for field in dataclasses.fields(model()):
        np.testing.assert_array_equal(getattr(read.objects[6], field.name), getattr(model(), field.name))


def test_every_number_comes_back_in_its_own_field(sampled: Predictions, tmp_path: Path) -> None:
    """All numbers of a file differ; its columns say row by row what its fields say."""
    counter = iter(range(10_000))

    def distinct(*shape: int) -> np.ndarray:
        return np.array([next(counter) + 0.5 for _ in range(math.prod(shape))]).reshape(shape)

    shapes = {"K": (3, 3), "image_size": (2,), "crop": (3,), "cost": (), "T_pred": (4, 4), "T_true": (4, 4)}
    shapes |= {"covariance": (6, 6), "T_hypotheses": (3, 4, 4), "probability": (3,)}
    values: dict[str, Any] = {name: distinct(2, *shape) for name, shape in shapes.items()}
    posterior = Posterior(**{field.name: distinct(2) for field in dataclasses.fields(Posterior)})
    temperatures = Temperatures(
        posterior=Temperature(scale=1.1, tail=0.2), covariance=Temperature(scale=1.3, tail=0.4)
    )
    made = dataclasses.replace(
        sampled,
        sample_id=["b", "a"],
        object_id=np.array([7, 6]),
        posterior=posterior,
        temperatures=temperatures,
    )
    made = dataclasses.replace(made, valid=np.array([False, True]), **values)
    made.write(tmp_path / "p.parquet")
    read, table = Predictions.read(tmp_path / "p.parquet"), pq.read_table(tmp_path / "p.parquet")
    assert (read.sample_id, read.object_id.tolist(), read.valid.tolist()) == (
        ["b", "a"],
        [7, 6],
        [False, True],
    )
    assert read.temperatures == temperatures
    for name, expected in (values | vars(posterior)).items():
        owner = read.posterior if name in vars(posterior) else read
        np.testing.assert_array_equal(getattr(owner, name), expected, err_msg=name)
        column = np.array(table[name].to_pylist()).reshape(2, -1)
        np.testing.assert_array_equal(column, expected.reshape(2, -1), err_msg=name)
    assert [read.objects[i].name for i in (6, 7)] == ["cat", "cup"]


def test_without_samples_the_columns_are_null(sampled: Predictions, tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    dataclasses.replace(sampled, posterior=None).write(file)
    assert Predictions.read(file).posterior is None
    assert pq.read_table(file)["log_evidence"].null_count == 2


def test_files_from_before_the_hypotheses_have_none(sampled: Predictions, tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    sampled.write(file)
    table = pq.read_table(file).drop_columns(["T_hypotheses", "probability"])
    pq.write_table(table.replace_schema_metadata(pq.read_metadata(file).metadata), file)
    read = Predictions.read(file)
    assert read.T_hypotheses is None
    assert read.probability is None


def test_files_without_temperatures_have_none(sampled: Predictions, tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    sampled.write(file)
    table = pq.read_table(file)
    kept = {key: pq.read_metadata(file).metadata[key] for key in (VERSION_KEY, OBJECTS_KEY)}
    pq.write_table(table.replace_schema_metadata(kept), file)
    assert Predictions.read(file).temperatures == Temperatures()


def test_metadata_is_text_that_any_reader_takes(sampled: Predictions, tmp_path: Path) -> None:
    sampled.write(tmp_path / "p.parquet")
    metadata = pq.read_metadata(tmp_path / "p.parquet").metadata
    assert metadata[VERSION_KEY] == b"2"
    assert metadata[OBJECTS_KEY].isascii()


def test_files_of_an_older_version_say_how_to_get_a_new_one(tmp_path: Path) -> None:
    old = pa.schema([field for field in SCHEMA if field.name in ("sample_id", "T_pred", "T_true", "cost")])
    pq.write_table(old.empty_table(), tmp_path / "old.parquet")
    with pytest.raises(UserError, match=r"version 1, this code reads version 2: delete .*result\.json"):
        Predictions.read(tmp_path / "old.parquet")


def test_files_of_another_kind_are_refused(sampled: Predictions, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no prediction file .*missing\.parquet"):
        Predictions.read(tmp_path / "missing.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match="no column T_pred"):
        Predictions.read(tmp_path / "other.parquet")
    sampled.write(tmp_path / "p.parquet")
    half = (tmp_path / "p.parquet").read_bytes()[:2000]
    (tmp_path / "half.parquet").write_bytes(half)
    with pytest.raises(UserError, match=r"half\.parquet is not a prediction file"):
        Predictions.read(tmp_path / "half.parquet")
