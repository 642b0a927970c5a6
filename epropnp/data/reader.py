"""The memory-mapped reader of a dataset.

A dataset is a folder of uncompressed Arrow IPC files beside a manifest; `epropnp.data.schema`
describes its columns, `docs/data-format.md` the whole.
"""

import copy
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa

from epropnp.data.identity import id_of_test
from epropnp.data.manifest import REBUILD, check_sizes, read_manifest, verify_once
from epropnp.data.remote import local_copy
from epropnp.data.schema import (
    BACKGROUND_SCHEMA,
    BACKGROUND_SIDE,
    BACKGROUNDS_FILE,
    LARGEST_ID,
    OBJECT_SCHEMA,
    OBJECTS_FILE,
    POINTS_BOP,
    RECORD_SCHEMA,
    ObjectModel,
    Record,
    with_ids_up_to,
)
from epropnp.errors import UserError

Column = Sequence[Any] | np.ndarray  # one element per row
_NUMBERS = {pa.int32(): "<i4", pa.float32(): "<f4", pa.float64(): "<f8"}


class _Blobs(Sequence[np.ndarray]):
    """A binary column: every element a view of the memory map."""

    def __init__(self, array: pa.Array) -> None:
        _, offsets, data = array.buffers()
        self._offsets = np.frombuffer(offsets, "<i4").tolist()
        self._data = np.frombuffer(data or b"", np.uint8)
        self._rows = len(array)

    def __len__(self) -> int:
        return self._rows

    @overload
    def __getitem__(self, row: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, row: slice) -> list[np.ndarray]: ...
    def __getitem__(self, row: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(row, slice):
            return [self[i] for i in range(*row.indices(self._rows))]
        return self._data[self._offsets[row] : self._offsets[row + 1]]


class _Chunk:
    """One record batch. Its columns are taken apart once: a row then costs microseconds."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batch = batch
        self.rows: int = batch.num_rows

    @cached_property
    def columns(self) -> dict[str, Column]:
        """Column by name; nothing of its images is read."""
        names = self.batch.schema.names
        return {name: _elements(column) for name, column in zip(names, self.batch.columns, strict=True)}


def _elements(array: pa.Array) -> Column:
    if pa.types.is_binary(array.type):
        return _Blobs(array)
    if pa.types.is_fixed_size_list(array.type) and not array.null_count:
        # By the buffer: pyarrow's own ways to NumPy import pandas, a second for every process that reads.
        numbers = np.frombuffer(array.values.buffers()[1], _NUMBERS[array.type.value_type])
        return numbers.reshape(len(array), -1)
    elements: list[Any] = array.to_pylist()
    return elements


def _open(path: Path, schema: pa.Schema) -> list[_Chunk]:
    """The record batches of a file, zero-copy views of its memory map."""
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path), "r"))
        chunks = [_Chunk(reader.get_batch(i)) for i in range(reader.num_record_batches)]
    except FileNotFoundError:
        raise UserError(f"{path} is missing although the manifest lists it: {REBUILD}") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} is damaged ({error}): {REBUILD}") from None
    if reader.schema not in _variants(schema):
        raise UserError(f"{path} has other columns than this code expects: {REBUILD}")
    return chunks


def _with_long_ids(schema: pa.Schema) -> pa.Schema:
    """As files of objects with large numbers have it."""
    return with_ids_up_to(schema, LARGEST_ID) if "object_id" in schema.names else schema


def _variants(schema: pa.Schema) -> list[pa.Schema]:
    """The columns that a file of a kind may have: longer ids, and points that few objects have."""
    kinds = [schema, schema.append(POINTS_BOP)] if schema == OBJECT_SCHEMA else [schema]
    return [*kinds, *map(_with_long_ids, kinds)]


def _read_record(columns: Mapping[str, Column], row: int) -> Record:
    side = columns["crop_side"][row]
    height, width = columns["map_size"][row].tolist()
    detected = columns["detected_box"][row]
    return Record(
        object_id=columns["object_id"][row],
        sample_id=columns["sample_id"][row],
        synthetic=columns["synthetic"][row],
        K=columns["K"][row].reshape(3, 3),
        T_cam_obj=columns["T_cam_obj"][row].reshape(4, 4),
        box=columns["box"][row],
        detected_box=None if detected is None else np.asarray(detected, np.float32),
        image_size=columns["image_size"][row],
        crop_origin=columns["crop_origin"][row],
        rgb=columns["rgb"][row].reshape(side, side, 3),
        map_origin=columns["map_origin"][row],
        mask=columns["mask"][row].reshape(height, width),
        coords=columns["coords"][row].view("<u2").reshape(height, width, 3),
    )


def _read_object(columns: Mapping[str, Column], row: int) -> ObjectModel:
    points_bop = columns["points_bop"][row] if "points_bop" in columns else np.empty(0)
    return ObjectModel(
        object_id=columns["object_id"][row],
        name=columns["name"][row],
        diameter_m=columns["diameter_m"][row],
        bounds_min=columns["bounds_min"][row],
        bounds_max=columns["bounds_max"][row],
        symmetric=columns["symmetric"][row],
        symmetries=np.array(columns["symmetries"][row]).reshape(-1, 4, 4),
        points=_points(columns["points"][row]),
        points_bop=_points(points_bop) if len(points_bop) else None,  # null is read as no bytes
    )


def _points(blob: np.ndarray) -> np.ndarray:
    return blob.view("<f4").reshape(-1, 3)


def read_objects(file: Path) -> dict[int, ObjectModel]:
    """The object table of a dataset, by object id."""
    chunks = _open(file, OBJECT_SCHEMA)
    models = [_read_object(chunk.columns, row) for chunk in chunks for row in range(chunk.rows)]
    return {model.object_id: model for model in models}


class _Rows:
    """Rows of several Arrow files under one index; files are mapped on first use.

    `expected` is the number of rows that the files must have together, if that is known.
    """

    def __init__(self, files: Sequence[Path], schema: pa.Schema, expected: int | None = None) -> None:
        self._files, self._schema, self._expected = files, schema, expected
        self._chunks: list[_Chunk] | None = None
        self._ends: list[int] = []

    @property
    def chunks(self) -> list[_Chunk]:
        if self._chunks is None:
            self._chunks = [chunk for file in self._files for chunk in _open(file, self._schema)]
            self._ends = list(accumulate(chunk.rows for chunk in self._chunks))
            found = self._ends[-1] if self._ends else 0
            if self._expected not in (None, found):
                names = f"{self._files[0]} and those after it"
                raise UserError(f"{names} hold {found} rows, {self._expected} are expected: {REBUILD}")
        return self._chunks

    def locate(self, index: int) -> tuple[_Chunk, int]:
        chunks = self.chunks
        total = self._ends[-1] if chunks else 0
        if not -total <= index < total:
            raise IndexError(f"row {index} of {total}")
        index %= total
        k = bisect_right(self._ends, index)
        return chunks[k], index - (self._ends[k] - chunks[k].rows)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_chunks": None, "_ends": []}  # a memory map stays in its process


class Split(Sequence[Record]):
    """The records of one split, or some of them, at its `rows`; `split[i]` copies nothing."""

    def __init__(self, name: str, rows: int, files: Sequence[Path]) -> None:
        self.name = name
        self.rows: Sequence[int] = range(rows)
        self._rows = _Rows(files, RECORD_SCHEMA, rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        chunk, row = self._rows.locate(self.rows[index])
        return _read_record(chunk.columns, row)

    def chosen(self, places: Iterable[int]) -> "Split":
        """These of its records, by their places."""
        part = copy.copy(self)
        part.rows = [self.rows[place] for place in places]
        return part

    def column(self, name: str) -> np.ndarray:
        """One whole column, such as `object_id` or `synthetic`; the images are not touched."""
        return np.array(self._values(name))

    def nulls(self, name: str) -> int:
        """How many records have no value in a column."""
        return self._values(name).count(None)

    def _values(self, name: str) -> list[Any]:
        values = [value for chunk in self._rows.chunks for value in chunk.batch.column(name).to_pylist()]
        return [values[row] for row in self.rows]


class Backgrounds(Sequence[np.ndarray]):
    """Background photographs, each (256, 256, 3) uint8; `backgrounds[i]` copies nothing."""

    def __init__(self, file: Path) -> None:
        self._rows = _Rows([file], BACKGROUND_SCHEMA)

    def __len__(self) -> int:
        return sum(chunk.rows for chunk in self._rows.chunks)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        chunk, row = self._rows.locate(index)
        picture: np.ndarray = chunk.columns["rgb"][row]
        return picture.reshape(BACKGROUND_SIDE, BACKGROUND_SIDE, 3)


class ArrowDataset:
    """A finished dataset, cheap to open and to pickle: each process maps files lazily.

    `location` is its folder, or the URI of one, which is copied to this node first (`epropnp.data.remote`).
    UserError when there is none, or a file is missing or of another size than the manifest says.
    """

    def __init__(self, location: Path | str) -> None:
        self.path = local_copy(location)
        self.manifest = read_manifest(self.path)
        check_sizes(self.path, self.manifest)
        self.dataset_id: str = self.manifest["dataset_id"]
        self.objects = read_objects(self.path / OBJECTS_FILE)
        self.backgrounds = Backgrounds(self.path / BACKGROUNDS_FILE)

    @classmethod
    def verified(cls, location: Path | str) -> "ArrowDataset":
        """Open a dataset to train on it: every byte is checked, once per machine. UserError as above."""
        dataset = cls(location)
        verify_once(dataset.path)
        return dataset

    @cached_property
    def test_id(self) -> str:
        """Which images it is tested on: equal ids, equal tests, whatever the ids of the datasets.

        As the manifest states it; where an older one does not, computed here by reading the test split once.
        """
        stated: str | None = self.manifest.get("test_id")
        return stated or id_of_test(self.split("test"), self.objects)

    def split(self, name: str) -> Split:
        """The records of 'train', 'validation' or 'test'."""
        entry = self.manifest["splits"].get(name)
        if entry is None:
            raise UserError(f"{self.path} has no split {name!r}, only {', '.join(self.manifest['splits'])}")
        return Split(name, entry["rows"], [self.path / shard["file"] for shard in entry["shards"]])

    def __reduce__(self) -> tuple[type["ArrowDataset"], tuple[Path]]:
        return ArrowDataset, (self.path,)
