"""The prediction file: one Parquet row per image, written once per trial and scored as often as one likes.

The file says its version and holds the object models that scoring needs, so that it can be scored anywhere.
"""

import base64
import dataclasses
import json
import tempfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from epropnp.data.reader import read_objects
from epropnp.data.schema import LARGEST_ID, OBJECTS_FILE, ObjectModel, with_ids_up_to
from epropnp.data.writer import write_objects
from epropnp.errors import UserError
from epropnp.inference.temperature import Temperature, Temperatures

VERSION = 2
# of the Parquet metadata
VERSION_KEY, OBJECTS_KEY, TEMPERATURES_KEY = (
    b"epropnp.predictions",
    b"epropnp.objects",
    b"epropnp.temperatures",
)
SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("object_id", pa.int16()),
        ("T_pred", pa.list_(pa.float64(), 16)),
        ("T_true", pa.list_(pa.float64(), 16)),
        ("K", pa.list_(pa.float64(), 9)),
        ("image_size", pa.list_(pa.float64(), 2)),
        ("crop", pa.list_(pa.float64(), 3)),
        ("covariance", pa.list_(pa.float64(), 36)),
        ("cost", pa.float64()),
        ("valid", pa.bool_()),
        ("log_evidence", pa.float64()),  # this and what follows: null where the posterior was not sampled
        ("effective_samples", pa.float64()),
        ("cost_true", pa.float64()),
        ("credible_level", pa.float64()),
        ("T_hypotheses", pa.list_(pa.float64())),  # K poses; null where only one was looked for
        ("probability", pa.list_(pa.float64())),
    ]
)
_SHAPES = {
    "T_pred": (-1, 4, 4),
    "T_true": (-1, 4, 4),
    "K": (-1, 3, 3),
    "image_size": (-1, 2),
    "crop": (-1, 3),
    "covariance": (-1, 6, 6),
}
_SEVERAL = {"T_hypotheses": (-1, 4, 4), "probability": (-1,)}  # of one image; their K is read off the file
_POSTERIOR = ("log_evidence", "effective_samples", "cost_true", "credible_level")


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """What importance samples of the pose posteriors of n images say, each (n,).

    Attributes:
        log_evidence: log Z, in the measure of `epropnp.pnp.layer`.
        effective_samples: Kish's effective sample size.
        cost_true: energy of the true pose (its robust cost, if no temperature was given), so that
            `cost_true + log_evidence` is -log p(truth); at the most likely of its equivalents where the
            object is symmetric.
        credible_level: probability of all poses more likely than the true one, 0 to 1: that of the smallest
            credible region (of highest density) that contains the truth.
    """

    log_evidence: np.ndarray
    effective_samples: np.ndarray
    cost_true: np.ndarray
    credible_level: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Poses of n images beside their ground truth.

    Attributes:
        sample_id: n names, as in the dataset.
        object_id: (n,).
        T_pred, T_true: poses, metres, (n, 4, 4).
        K: intrinsics, (n, 3, 3).
        image_size: width and height of the original image, px, (n, 2).
        crop: the square that the network saw: x, y of its top-left corner and its side, px, (n, 3).
        covariance: of the predicted pose, local coordinates of `epropnp.pnp.space`, m and rad, (n, 6, 6).
        cost: robust reprojection cost at the predicted pose, at the posterior's temperature, (n,).
        valid: false where the correspondences did not determine a pose, bool (n,).
        T_hypotheses: the K different poses of each image, the predicted one first, (n, K, 4, 4), or None.
        probability: of each of them among the K, at the posterior's temperature, (n, K), or None; 0 where
            there are fewer.
        posterior: None where it was not sampled.
        temperatures: those that covariance, cost and posterior have been given; in older files, none.
        objects: models by id of the objects that occur; may be empty.
    """

    sample_id: list[str]
    object_id: np.ndarray
    T_pred: np.ndarray
    T_true: np.ndarray
    K: np.ndarray
    image_size: np.ndarray
    crop: np.ndarray
    covariance: np.ndarray
    cost: np.ndarray
    valid: np.ndarray
    T_hypotheses: np.ndarray | None = None
    probability: np.ndarray | None = None
    posterior: Posterior | None = None
    temperatures: Temperatures = field(default_factory=Temperatures)
    objects: Mapping[int, ObjectModel] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sample_id)

    def write(self, path: Path) -> None:
        """Write the Parquet file."""
        schema = with_ids_up_to(SCHEMA, int(self.object_id.max(initial=0)))
        columns = {field.name: self._column(field.name) for field in schema}
        table = pa.table([_encode(columns[f.name], f.type, len(self)) for f in schema], schema=schema)
        occurring = [self.objects[i] for i in np.unique(self.object_id).tolist() if i in self.objects]
        with pq.ParquetWriter(path, schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata(
                {
                    VERSION_KEY: str(VERSION).encode(),
                    OBJECTS_KEY: _pack_objects(occurring),
                    TEMPERATURES_KEY: json.dumps(dataclasses.asdict(self.temperatures)).encode(),
                }
            )

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read a file that `write` made. UserError where it is missing, of another kind or version."""
        if not path.is_file():
            raise UserError(f"there is no prediction file {path}")
        try:
            metadata = pq.read_metadata(path).metadata or {}
            _check_version(path, metadata.get(VERSION_KEY))
            table = pq.read_table(path, schema=with_ids_up_to(SCHEMA, LARGEST_ID))
            objects = _unpack_objects(metadata[OBJECTS_KEY])
            temperatures = _temperatures(metadata.get(TEMPERATURES_KEY, b"{}"))
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError, zlib.error) as error:
            raise UserError(f"{path} is not a prediction file ({error})") from error
        rows = {
            name: np.array(table[name].to_pylist(), np.float64).reshape(shape)
            for name, shape in _SHAPES.items()
        }
        for name, shape in _SEVERAL.items():
            if table[name].null_count < len(table):
                rows[name] = np.array(table[name].to_pylist(), np.float64).reshape(len(table), *shape)
        sampled = table["log_evidence"].null_count == 0
        return cls(
            sample_id=table["sample_id"].to_pylist(),
            object_id=table["object_id"].to_numpy(),
            cost=table["cost"].to_numpy(),
            valid=np.array(table["valid"].to_pylist(), bool),
            posterior=Posterior(**{n: table[n].to_numpy() for n in _POSTERIOR}) if sampled else None,
            temperatures=temperatures,
            objects=objects,
            **rows,
        )

    def _column(self, name: str) -> np.ndarray | list[str] | None:
        if name not in _POSTERIOR:
            column: np.ndarray | list[str] = getattr(self, name)
            return column
        return None if self.posterior is None else getattr(self.posterior, name)


def _check_version(path: Path, found: bytes | None) -> None:
    version = "1" if found is None else found.decode(errors="replace")
    if version == str(VERSION):
        return
    if found is None and "T_pred" not in pq.read_schema(path).names:
        raise UserError(f"{path} is not a prediction file (it has no column T_pred)")
    raise UserError(
        f"{path} is a prediction file of version {version}, this code reads version {VERSION}: "
        "delete the trial's result.json and run the trial again, which only repeats its test"
    )


def _temperatures(text: bytes) -> Temperatures:
    return Temperatures(**{name: Temperature(**values) for name, values in json.loads(text).items()})


def _encode(values: np.ndarray | list[str] | None, kind: pa.DataType, rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(rows, kind)
    if pa.types.is_list(kind):
        return pa.array(list(np.asarray(values, np.float64).reshape(rows, -1)), kind)
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    flat = pa.array(np.asarray(values, np.float64).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)


def _pack_objects(models: list[ObjectModel]) -> bytes:
    """The object table as text: readers of Parquet expect metadata to be that."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / OBJECTS_FILE
        write_objects(file, models)
        return base64.b64encode(zlib.compress(file.read_bytes()))


def _unpack_objects(text: bytes) -> dict[int, ObjectModel]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / OBJECTS_FILE
        file.write_bytes(zlib.decompress(base64.b64decode(text)))
        return read_objects(file)
