"""Tables of a run say of each object, and of single images, what the poses say."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from sweeps.tracking.run_tables import MOST_IMAGES, tables_of
from tests.evaluation.known_errors import model, pose, predictions, turn


def test_an_object_has_its_scores_and_the_medians_of_its_errors(tmp_path: Path) -> None:
    """Of the diameter of 0.1 m: 5 mm are 0.05 d, 20 mm are 0.2 d; half a turn of the eggbox is none."""
    T_true = np.concatenate([pose()] * 4)
    T_pred = np.concatenate(
        [pose(t=(0.005, 0, 1)), pose(t=(0.02, 0, 1)), pose(turn("z", 180.0)), np.full((1, 4, 4), np.nan)]
    )
    made = predictions(T_pred, T_true)
    ids = np.array([6, 6, 10, 10])
    models = {6: model("cat"), 10: replace(model("eggbox", symmetric=True), object_id=10)}
    replace(made, object_id=ids, objects=models).write(tmp_path / "predictions.parquet")
    found = tables_of(tmp_path / "predictions.parquet")
    objects = found["objects.json"]
    cat, eggbox = (dict(zip(objects["columns"], row, strict=True)) for row in objects["data"])
    assert (cat["object"], cat["images"], cat["ADD(-S) 0.10d %"], cat["5deg5cm %"]) == ("cat", 2, 50, 100)
    assert (cat["median ADD(-S) d"], cat["median shift cm"], cat["median angle deg"]) == (0.125, 1.25, 0)
    assert (eggbox["object"], eggbox["ADD(-S) 0.10d %"], eggbox["5deg5cm %"]) == ("eggbox", 50, 50)
    assert eggbox["median ADD(-S) d"] is None  # of two images one has no pose
    assert found["images.json"]["columns"] == ["image", "object", "ADD(-S) d", "shift cm", "angle deg"]
    assert found["images.json"]["data"][1][1:] == ["cat", 0.2, 2.0, 0.0]
    assert found["images.json"]["data"][3][1:] == ["eggbox", None, None, None]


def test_of_many_images_some_are_picked_evenly_and_the_same_ones_each_time(tmp_path: Path) -> None:
    poses = np.concatenate([pose()] * 1000)
    made = replace(predictions(poses, poses), objects={6: model()})
    made.write(tmp_path / "predictions.parquet")
    rows = tables_of(tmp_path / "predictions.parquet")["images.json"]["data"]
    picked = [made.sample_id.index(row[0]) for row in rows]
    assert (len(picked), picked[0], picked[-1]) == (MOST_IMAGES, 0, 999)
    assert set(np.diff(picked)) == {5, 6}
