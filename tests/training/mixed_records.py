"""A few records of the tiny dataset, so that every setting can matter: photographs beside renderings, a
symmetric object beside another, detected boxes that are not the true ones, and backgrounds that differ.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import BACKGROUNDS_FILE, MANIFEST, OBJECTS_FILE, SCHEMA_VERSION, Record
from epropnp.data.writer import file_digest, write_backgrounds, write_objects, write_records

SIZES = {"train": 12, "validation": 3, "test": 3}  # records per split; every other one of them a photograph
DETECTED = np.array([5.0, -4.0, 8.0, 6.0], np.float32)  # detected minus true box (x, y, w, h), px


def mixed_dataset(folder: Path, source: ArrowDataset) -> Path:
    """Write it to `folder`, from records of the tiny dataset."""
    folder.mkdir()
    splits = {}
    for split, count in SIZES.items():
        file = folder / f"{split}-00000.arrow"
        chosen = list(source.split(split))[:: len(source.split(split)) // count][:count]
        records = [_changed(record, i) for i, record in enumerate(chosen)]
        rows = write_records(file, records)
        splits[split] = {"rows": rows, "shards": [{"file": file.name, "rows": rows, **file_digest(file)}]}
    write_objects(folder / OBJECTS_FILE, list(source.objects.values()))
    rng = np.random.default_rng(0)
    write_backgrounds(
        folder / BACKGROUNDS_FILE, [rng.integers(0, 256, (256, 256, 3)).astype(np.uint8) for _ in range(3)]
    )
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "dataset_id": "0123456789ab",
        "config": {},
        "source_fingerprint": "",
        "splits": splits,
        "files": {name: file_digest(folder / name) for name in (OBJECTS_FILE, BACKGROUNDS_FILE)},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def _changed(record: Record, index: int) -> Record:
    return dataclasses.replace(record, synthetic=index % 2 == 0, detected_box=record.box + DETECTED)
