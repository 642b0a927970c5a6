"""The dataset format in one import: schema, writers, and the memory-mapped reader defined here.

A dataset is a folder of uncompressed Arrow IPC files beside a manifest; `epropnp.data.schema`
describes its layout.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa

from epropnp.data.schema import (
    BACKGROUND_SCHEMA,
    BACKGROUND_SIDE,
    BACKGROUNDS_FILE,
    MANIFEST,
    OBJECT_SCHEMA,
    OBJECTS_FILE,
    RECORD_SCHEMA,
    ROWS_PER_BATCH,
    SCHEMA_VERSION,
    SPLITS,
    ObjectModel,
    Record,
    dequantise,
    quantise,
)
from epropnp.data.writer import file_digest, write_backgrounds, write_objects, write_records
from epropnp.errors import UserError

__all__ = [
    "BACKGROUNDS_FILE",
    "BACKGROUND_SCHEMA",
    "BACKGROUND_SIDE",
    "MANIFEST",
    "OBJECTS_FILE",
    "OBJECT_SCHEMA",
    "RECORD_SCHEMA",
    "ROWS_PER_BATCH",
    "SCHEMA_VERSION",
    "SPLITS",
    "ArrowDataset",
    "Backgrounds",
    "ObjectModel",
    "Record",
    "Split",
    "dequantise",
    "file_digest",
    "quantise",
    "read_manifest",
    "read_objects",
    "verify",
    "write_backgrounds",
    "write_objects",
    "write_records",
]

REBUILD = "delete its folder and build the dataset again"  # an existing folder is never built over


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of a dataset folder. UserError when missing, broken or of another schema."""
    file = path / MANIFEST
    if not path.is_dir():
        raise UserError(f"no dataset at {path}: build one with `python pipelines/prepare.py`")
    try:
        manifest: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        version = int(manifest["schema_version"])
    except FileNotFoundError:
        raise UserError(f"{file} is missing: the folder is not a finished dataset, {REBUILD}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is not a dataset manifest ({error!r}): {REBUILD}") from None
    if version != SCHEMA_VERSION:
        advice = "update this code" if version > SCHEMA_VERSION else REBUILD
        raise UserError(f"{file} has schema version {version}, this code reads {SCHEMA_VERSION}: {advice}")
    return manifest


def verify(path: Path) -> None:
    """Checks all sizes and SHA-256 sums against the manifest; UserError names the wrong file."""
    path = Path(path)
    manifest = read_manifest(path)
    stated = dict(manifest["files"])
    for split in manifest["splits"].values():
        stated.update({shard["file"]: shard for shard in split["shards"]})
    for name, entry in sorted(stated.items()):
        file = path / name
        if not file.is_file():
            raise UserError(f"{file} is missing although the manifest lists it: {REBUILD}")
        size = file.stat().st_size
        if size != entry["bytes"]:
            raise UserError(f"{file} has {size} bytes, the manifest says {entry['bytes']}: {REBUILD}")
        if file_digest(file)["sha256"] != entry["sha256"]:
            raise UserError(f"{file} differs from its SHA-256 in the manifest: {REBUILD}")


def _open(path: Path, schema: pa.Schema) -> list[pa.RecordBatch]:
    """The record batches of a file, zero-copy views of its memory map."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path), "r"))
        batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
    except FileNotFoundError:
        raise UserError(f"{path} is missing although the manifest lists it: {REBUILD}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is damaged ({error}): {REBUILD}") from None
    if not reader.schema.equals(schema):
        raise UserError(f"{path} has other columns than this code expects: {REBUILD}")
    return batches


def _bytes_at(batch: pa.RecordBatch, column: str, row: int, dtype: str = "u1") -> np.ndarray:
    return np.frombuffer(batch.column(column)[row].as_buffer(), dtype=dtype)


def _list_at(batch: pa.RecordBatch, column: str, row: int) -> np.ndarray:
    array = batch.column(column)
    size = array.type.list_size
    values: np.ndarray = array.values.to_numpy()[row * size : (row + 1) * size]
    return values


def _read_record(batch: pa.RecordBatch, row: int) -> Record:
    side = batch.column("crop_side")[row].as_py()
    height, width = (int(n) for n in _list_at(batch, "map_size", row))
    return Record(
        object_id=batch.column("object_id")[row].as_py(),
        sample_id=batch.column("sample_id")[row].as_py(),
        synthetic=batch.column("synthetic")[row].as_py(),
        K=_list_at(batch, "K", row).reshape(3, 3),
        T_cam_obj=_list_at(batch, "T_cam_obj", row).reshape(4, 4),
        box=_list_at(batch, "box", row),
        image_size=_list_at(batch, "image_size", row),
        crop_origin=_list_at(batch, "crop_origin", row),
        rgb=_bytes_at(batch, "rgb", row).reshape(side, side, 3),
        map_origin=_list_at(batch, "map_origin", row),
        mask=_bytes_at(batch, "mask", row).reshape(height, width),
        coords=_bytes_at(batch, "coords", row, "<u2").reshape(height, width, 3),
    )


def _read_object(batch: pa.RecordBatch, row: int) -> ObjectModel:
    return ObjectModel(
        object_id=batch.column("object_id")[row].as_py(),
        name=batch.column("name")[row].as_py(),
        diameter_m=batch.column("diameter_m")[row].as_py(),
        bounds_min=_list_at(batch, "bounds_min", row),
        bounds_max=_list_at(batch, "bounds_max", row),
        symmetric=batch.column("symmetric")[row].as_py(),
        symmetries=np.array(batch.column("symmetries")[row].as_py()).reshape(-1, 4, 4),
        points=_bytes_at(batch, "points", row, "<f4").reshape(-1, 3),
    )


def read_objects(file: Path) -> dict[int, ObjectModel]:
    """The object table of a dataset, by object id."""
    batches = _open(file, OBJECT_SCHEMA)
    models = [_read_object(batch, row) for batch in batches for row in range(batch.num_rows)]
    return {model.object_id: model for model in models}


class _Rows:
    """Rows of several Arrow files under one index; files are mapped on first use."""

    def __init__(self, files: Sequence[Path], schema: pa.Schema) -> None:
        self._files = files
        self._schema = schema
        self._batches: list[pa.RecordBatch] | None = None
        self._ends = np.zeros(0, np.int64)

    @property
    def batches(self) -> list[pa.RecordBatch]:
        if self._batches is None:
            self._batches = [batch for file in self._files for batch in _open(file, self._schema)]
            self._ends = np.cumsum([batch.num_rows for batch in self._batches], dtype=np.int64)
        return self._batches

    def locate(self, index: int) -> tuple[pa.RecordBatch, int]:
        batches = self.batches
        total = int(self._ends[-1]) if batches else 0
        if not -total <= index < total:
            raise IndexError(f"row {index} of {total}")
        index %= total
        k = int(np.searchsorted(self._ends, index, side="right"))
        return batches[k], index - int(self._ends[k] - batches[k].num_rows)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "_files": self._files,
            "_schema": self._schema,
            "_batches": None,
            "_ends": np.zeros(0, np.int64),
        }


class Split(Sequence[Record]):
    """The records of one split; `split[i]` copies nothing."""

    def __init__(self, name: str, rows: int, files: Sequence[Path]) -> None:
        self.name = name
        self._count = rows
        self._rows = _Rows(files, RECORD_SCHEMA)

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return _read_record(*self._rows.locate(index))

    def column(self, name: str) -> np.ndarray:
        """One whole column, such as `object_id` or `synthetic`; the images are not touched."""
        parts = [batch.column(name).to_numpy(zero_copy_only=False) for batch in self._rows.batches]
        return np.concatenate(parts) if parts else np.zeros(0)


class Backgrounds(Sequence[np.ndarray]):
    """Background photographs, each (256, 256, 3) uint8; `backgrounds[i]` copies nothing."""

    def __init__(self, file: Path) -> None:
        self._rows = _Rows([file], BACKGROUND_SCHEMA)

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self._rows.batches)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        batch, row = self._rows.locate(index)
        return _bytes_at(batch, "rgb", row).reshape(BACKGROUND_SIDE, BACKGROUND_SIDE, 3)


class ArrowDataset:
    """A finished dataset folder, cheap to open and to pickle: each process maps files lazily."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.manifest = read_manifest(self.path)
        self.dataset_id: str = self.manifest["dataset_id"]
        self.objects = read_objects(self.path / OBJECTS_FILE)
        self.backgrounds = Backgrounds(self.path / BACKGROUNDS_FILE)

    def split(self, name: str) -> Split:
        """The records of 'train', 'validation' or 'test'."""
        entry = self.manifest["splits"].get(name)
        if entry is None:
            raise UserError(f"{self.path} has no split {name!r}, only {', '.join(self.manifest['splits'])}")
        return Split(name, entry["rows"], [self.path / shard["file"] for shard in entry["shards"]])

    def __reduce__(self) -> tuple[type[ArrowDataset], tuple[Path]]:
        return ArrowDataset, (self.path,)
