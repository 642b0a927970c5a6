"""The prediction file: one Parquet row per image, written once per trial and scored as often as one likes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from epropnp.errors import UserError

SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("object_id", pa.int16()),
        ("T_pred", pa.list_(pa.float64(), 16)),
        ("T_true", pa.list_(pa.float64(), 16)),
        ("K", pa.list_(pa.float64(), 9)),
        ("covariance", pa.list_(pa.float64(), 36)),
        ("cost", pa.float64()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """Poses of n images beside their ground truth.

    Attributes:
        sample_id: n names, as in the dataset.
        object_id: (n,).
        T_pred, T_true: poses, metres, (n, 4, 4).
        K: intrinsics, (n, 3, 3).
        covariance: of the predicted pose, local coordinates of `epropnp.pnp.pose.retract`, (n, 6, 6).
        cost: robust reprojection cost at the predicted pose, (n,).
    """

    sample_id: list[str]
    object_id: np.ndarray
    T_pred: np.ndarray
    T_true: np.ndarray
    K: np.ndarray
    covariance: np.ndarray
    cost: np.ndarray

    def write(self, path: Path) -> None:
        """Write the Parquet file."""
        columns = {name: getattr(self, name) for name in SCHEMA.names}
        arrays = [_encode(columns[field.name], field.type) for field in SCHEMA]
        pq.write_table(pa.table(arrays, schema=SCHEMA), path)

    @classmethod
    def read(cls, path: Path) -> "Predictions":
        """Read a file that `write` made. UserError where it is missing or of another kind."""
        try:
            table = pq.read_table(path, schema=SCHEMA)
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"{path} is not a prediction file ({error})") from error
        shapes = {
            "T_pred": (-1, 4, 4),
            "T_true": (-1, 4, 4),
            "K": (-1, 3, 3),
            "covariance": (-1, 6, 6),
        }
        read = {
            name: np.array(table[name].to_pylist(), np.float64).reshape(shape)
            for name, shape in shapes.items()
        }
        return cls(
            sample_id=table["sample_id"].to_pylist(),
            object_id=table["object_id"].to_numpy(),
            cost=table["cost"].to_numpy(),
            **read,
        )


def _encode(values: np.ndarray | list[str], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    flat = pa.array(np.asarray(values, np.float64).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
