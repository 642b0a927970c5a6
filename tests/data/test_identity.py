"""The id of a test: what changes it, and what does not."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.data.identity import id_of_test
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import MANIFEST
from tests.data.sets import make_model, make_record, write_dataset

RECORDS = [make_record(i) for i in range(4)]
OBJECTS = {6: make_model()}
ID = id_of_test(RECORDS, OBJECTS)


def moved(array: np.ndarray) -> np.ndarray:
    """The same but for its last number."""
    copy = array.copy()
    copy.flat[-1] += 1
    return copy


@pytest.mark.parametrize(
    "name", ["sample_id", "K", "T_cam_obj", "box", "detected_box", "image_size", "crop_origin", "rgb"]
)
def test_it_changes_with_everything_that_a_test_is_made_of(name: str) -> None:
    value: Any = getattr(RECORDS[3], name)
    other: Any = "else" if isinstance(value, str) else moved(value)
    changed = dataclasses.replace(RECORDS[3], **{name: other})
    assert id_of_test([*RECORDS[:3], changed], OBJECTS) != ID


@pytest.mark.parametrize(
    "change",
    [
        {"points": moved(OBJECTS[6].points)},
        {"points_bop": OBJECTS[6].points[::2]},
        {"symmetries": moved(OBJECTS[6].symmetries)},
        {"diameter_m": 0.2},
        {"symmetric": True},
        {"name": "dog"},
    ],
)
def test_it_changes_with_how_objects_are_scored(change: dict[str, Any]) -> None:
    assert id_of_test(RECORDS, {6: dataclasses.replace(OBJECTS[6], **change)}) != ID


def test_it_changes_with_the_number_of_images_and_a_box_is_not_none() -> None:
    ids = {id_of_test(RECORDS[:3], OBJECTS), id_of_test([*RECORDS, RECORDS[0]], OBJECTS), ID}
    ids.add(id_of_test([*RECORDS[:3], dataclasses.replace(RECORDS[3], detected_box=None)], OBJECTS))
    assert len(ids) == 4


def test_neither_order_nor_other_objects_nor_maps_matter() -> None:
    other = dataclasses.replace(OBJECTS[6], object_id=7, name="can")
    assert id_of_test(RECORDS[::-1], OBJECTS | {7: other}) == ID
    hidden = [dataclasses.replace(r, mask=r.mask * 0, coords=r.coords * 0, synthetic=True) for r in RECORDS]
    assert id_of_test(hidden, OBJECTS) == ID


def test_a_dataset_says_it_or_computes_it(tmp_path: Path) -> None:
    """Older manifests do not state it."""
    folder = write_dataset(tmp_path / "set")
    manifest = json.loads((folder / MANIFEST).read_text())
    splits = manifest["splits"]
    splits["train"], splits["test"] = splits["test"], splits["train"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    dataset = ArrowDataset(folder)
    assert dataset.test_id == id_of_test(dataset.split("test"), dataset.objects)
    assert dataset.test_id == id_of_test([make_record(i) for i in range(len(dataset.split("test")))], OBJECTS)
    (folder / MANIFEST).write_text(json.dumps(manifest | {"test_id": "stated"}))
    assert ArrowDataset(folder).test_id == "stated"
