"""Tables of a run, as the MLflow UI shows and compares them: scores by object, and what became of images."""

from pathlib import Path
from typing import Any

import numpy as np

from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import image_scores

LOGGED_TAG = "mlflow.loggedArtifacts"  # by which the UI finds tables
OBJECTS, IMAGES = "objects.json", "images.json"
MOST_IMAGES = 200
SCORES = ("add_0.02d", "add_0.05d", "add_0.10d", "add_area", "2deg2cm", "5deg5cm", "proj_5px")


def tables_of(file: Path) -> dict[str, dict[str, list[Any]]]:
    """By name, from a file of predictions, which holds all that scoring needs. UserError where it does not.

    Images are picked evenly: the same ones in all trials of a sweep, so that they can be compared.
    """
    predictions = Predictions.read(file)
    errors = pose_errors(predictions, predictions.objects)
    values = image_scores(errors)
    ids = predictions.object_id
    names = {number: predictions.objects[number].name for number in np.unique(ids).tolist()}
    objects = [
        [name, int((ids == number).sum()), *(_short(values[key][ids == number].mean()) for key in SCORES)]
        for number, name in names.items()
    ]
    picked = np.unique(np.linspace(0, len(ids) - 1, min(MOST_IMAGES, len(ids))).astype(int)).tolist()
    columns = {
        "ADD(-S) % of diameter": 100 * errors.add_m / errors.diameter_m,
        "angle deg": errors.angle_deg,
        "shift cm": 100 * errors.shift_m,
        "reprojection px": errors.projection_px,
    }
    images = [
        [predictions.sample_id[i], names[int(ids[i])], *(_short(each[i]) for each in columns.values())]
        for i in picked
    ]
    return {
        OBJECTS: {"columns": ["object", "images", *SCORES], "data": objects},
        IMAGES: {"columns": ["image", "object", *columns], "data": images},
    }


def _short(value: Any) -> float | None:
    """With as many digits as one reads; JSON knows no infinity."""
    return round(float(value), 2) if np.isfinite(value) else None
