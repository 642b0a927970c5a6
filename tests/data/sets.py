"""Small datasets written by hand: random pictures, two training shards, empty other splits."""

import json
from pathlib import Path

import numpy as np

from epropnp.data.schema import BACKGROUNDS_FILE, MANIFEST, OBJECTS_FILE, SCHEMA_VERSION, ObjectModel, Record
from epropnp.data.writer import file_digest, write_backgrounds, write_objects, write_records

ROWS = 37  # neither a multiple of a record batch nor of a shard
SHARD_ROWS = 20
DATASET_ID = "0123456789ab"


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


def make_record(index: int, side: int | None = None) -> Record:
    """A record of its own size, or with a crop of `side` px; every other one has a detected box."""
    rng = np.random.default_rng(index)
    side, height, width = side or 30 + index, 10 + (index if side is None else 0), 12
    return Record(
        object_id=6,
        sample_id=f"synthetic/cat/train/{index:06d}",
        synthetic=index % 2 == 0,
        K=rng.normal(size=(3, 3)),
        T_cam_obj=rng.normal(size=(4, 4)),
        box=rng.uniform(0, 99, 4).astype(np.float32),
        detected_box=rng.uniform(0, 99, 4).astype(np.float32) if index % 2 else None,
        image_size=np.array([640, 480], np.int32),
        crop_origin=np.array([-index, index], np.int32),
        rgb=rng.integers(0, 256, (side, side, 3)).astype(np.uint8),
        map_origin=np.array([7 - index, 11 + index], np.int32),
        mask=(rng.random((height, width)) < 0.7).astype(np.uint8) * np.uint8(255),
        coords=rng.integers(0, 65536, (height, width, 3)).astype(np.uint16),
    )


def write_dataset(folder: Path, records: list[Record] | None = None) -> Path:
    """Write a dataset; its training records are `make_record(0)`, ... unless others are given."""
    folder.mkdir()
    records = records or [make_record(i) for i in range(ROWS)]
    shards = []
    for number, start in enumerate(range(0, len(records), SHARD_ROWS)):
        file = folder / f"train-{number:05d}.arrow"
        rows = write_records(file, records[start : start + SHARD_ROWS])
        shards.append({"file": file.name, "rows": rows, **file_digest(file)})
    write_objects(folder / OBJECTS_FILE, [make_model()])
    write_backgrounds(folder / BACKGROUNDS_FILE, [np.full((256, 256, 3), i, np.uint8) for i in range(3)])
    empty = {"rows": 0, "shards": []}
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "dataset_id": DATASET_ID,
        "config": {},
        "source_fingerprint": "",
        "splits": {
            "train": {"rows": len(records), "shards": shards},
            "validation": empty,
            "test": empty,
        },
        "files": {name: file_digest(folder / name) for name in (OBJECTS_FILE, BACKGROUNDS_FILE)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder
