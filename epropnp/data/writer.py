"""Writing the files of a dataset folder (the format is described in `epropnp.data.schema`)."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from epropnp.data.schema import (
    BACKGROUND_SCHEMA,
    OBJECT_SCHEMA,
    POINTS_BOP,
    RECORD_SCHEMA,
    ROWS_PER_BATCH,
    ObjectModel,
    Record,
    with_ids_up_to,
)


def file_digest(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as the manifest states them."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _write_rows(path: Path, schema: pa.Schema, rows: Iterable[dict[str, Any]]) -> int:
    """Writes rows batch by batch, holding one batch in memory; returns the number of rows."""
    count = 0
    pending: list[dict[str, Any]] = []
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for row in rows:
            pending.append(row)
            count += 1
            if len(pending) == ROWS_PER_BATCH:
                writer.write_batch(pa.RecordBatch.from_pylist(pending, schema=schema))
                pending = []
        if pending:
            writer.write_batch(pa.RecordBatch.from_pylist(pending, schema=schema))
    return count


def _flat(array: np.ndarray) -> list[Any]:
    return list(np.asarray(array).ravel().tolist())


def _record_row(record: Record) -> dict[str, Any]:
    side, (height, width) = record.rgb.shape[0], record.mask.shape
    x, y = record.map_origin - record.crop_origin
    inside = 0 <= x <= side - width and 0 <= y <= side - height
    if record.rgb.shape != (side, side, 3) or record.coords.shape != (height, width, 3) or not inside:
        raise ValueError(
            f"{record.sample_id}: {record.rgb.shape=}, {record.mask.shape=}, {record.coords.shape=}, "
            f"{record.map_origin=}, {record.crop_origin=}"
        )
    return {
        "object_id": record.object_id,
        "sample_id": record.sample_id,
        "synthetic": record.synthetic,
        "K": _flat(record.K),
        "T_cam_obj": _flat(record.T_cam_obj),
        "box": _flat(record.box),
        "detected_box": None if record.detected_box is None else _flat(record.detected_box),
        "image_size": _flat(record.image_size),
        "crop_origin": _flat(record.crop_origin),
        "crop_side": side,
        "rgb": np.ascontiguousarray(record.rgb, np.uint8).tobytes(),
        "map_origin": _flat(record.map_origin),
        "map_size": [height, width],
        "mask": np.ascontiguousarray(record.mask, np.uint8).tobytes(),
        "coords": np.ascontiguousarray(record.coords, "<u2").tobytes(),
    }


def write_records(path: Path, records: Iterable[Record], largest_id: int = 0) -> int:
    """Writes one shard with objects up to a number; returns its number of rows."""
    return _write_rows(path, with_ids_up_to(RECORD_SCHEMA, largest_id), map(_record_row, records))


def write_objects(path: Path, models: Iterable[ObjectModel]) -> int:
    """Writes the object table; returns its number of rows."""
    models = list(models)
    rows = (
        {
            "object_id": model.object_id,
            "name": model.name,
            "diameter_m": model.diameter_m,
            "bounds_min": _flat(model.bounds_min),
            "bounds_max": _flat(model.bounds_max),
            "symmetric": model.symmetric,
            "symmetries": _flat(model.symmetries),
            "points": _points(model.points),
            "points_bop": None if model.points_bop is None else _points(model.points_bop),
        }
        for model in models
    )
    largest_id = max((model.object_id for model in models), default=0)
    apart = any(model.points_bop is not None for model in models)
    schema = OBJECT_SCHEMA.append(POINTS_BOP) if apart else OBJECT_SCHEMA
    return _write_rows(path, with_ids_up_to(schema, largest_id), rows)


def _points(points: np.ndarray) -> bytes:
    return np.ascontiguousarray(points, "<f4").tobytes()


def write_backgrounds(path: Path, images: Iterable[np.ndarray]) -> int:
    """Writes (256, 256, 3) uint8 images; returns their number."""
    return _write_rows(path, BACKGROUND_SCHEMA, ({"rgb": image.tobytes()} for image in images))
