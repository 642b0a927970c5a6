"""The errors of a prediction file, kept beside it: those of symmetric objects take seconds to compute.

Nothing hangs on the file: it says which predictions it is of, by their digest, and without it, or where it is
of others, the errors are computed again.
"""

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from epropnp.evaluation.pose_errors import PoseErrors, pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.files import replaced

SUFFIX = ".errors.parquet"  # in place of `.parquet`
VERSION = b"1"  # raised where an error is defined anew
NAMES = tuple(field.name for field in fields(PoseErrors))
OF_KEY, VERSION_KEY = b"epropnp.errors.of", b"epropnp.errors"


def errors_beside(
    predictions: Predictions, objects: Mapping[int, ObjectModel], file: Path, threads: int = -1
) -> PoseErrors:
    """The errors of predictions that were read from a file; computed once for all who ask.

    On so many threads (-1: all cores). UserError where an object is not among `objects`.
    """
    kept, digest = file.with_suffix(SUFFIX), hashlib.sha256(file.read_bytes()).digest()
    found = _read(kept, digest)
    if found is None:
        found = pose_errors(predictions, objects, threads)
        with contextlib.suppress(UserError, OSError):  # a full disk, another user's folder
            _write(found, kept, digest)
    return found


def _read(file: Path, digest: bytes) -> PoseErrors | None:
    try:
        table = pq.read_table(file)
        told = table.schema.metadata or {}
        if (told.get(OF_KEY), told.get(VERSION_KEY)) != (digest, VERSION):
            return None
        return PoseErrors(**{name: np.array(table[name]) for name in NAMES})
    except (OSError, KeyError, ValueError):  # pyarrow's own errors are of these
        return None


def _write(errors: PoseErrors, file: Path, digest: bytes) -> None:
    columns = {name: np.broadcast_to(getattr(errors, name), errors.object_id.shape) for name in NAMES}
    table = pa.table(columns).replace_schema_metadata({OF_KEY: digest, VERSION_KEY: VERSION})
    with replaced(file) as unfinished:
        pq.write_table(table, unfinished)
