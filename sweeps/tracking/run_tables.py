"""Tables of a run, as the MLflow UI shows and compares them: scores of objects, errors of single images."""

from pathlib import Path
from typing import Any

import numpy as np

from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import image_scores

LOGGED_TAG = "mlflow.loggedArtifacts"  # by which the UI finds tables
OBJECTS, IMAGES = "objects.json", "images.json"
MOST_IMAGES = 200
SCORES = {"add_0.10d": "ADD(-S) 0.10d %", "add_area": "ADD(-S) area %", "5deg5cm": "5deg5cm %"}
ERRORS = ("ADD(-S) d", "shift cm", "angle deg")  # of a pose


def tables_of(file: Path) -> dict[str, dict[str, list[Any]]]:
    """By name, from a file of predictions. UserError where it cannot be read, or knows no models.

    Images are picked evenly: the same ones in all trials of a sweep, so that they can be compared.
    """
    predictions = Predictions.read(file)
    errors, ids = errors_beside(predictions, predictions.objects, file), predictions.object_id
    scores = image_scores(errors)
    columns = (errors.add_m / errors.diameter_m, 100 * errors.shift_m, errors.angle_deg)
    measured = [np.nan_to_num(values, nan=np.inf) for values in columns]  # no pose is the worst one
    names = {number: predictions.objects[number].name for number in np.unique(ids).tolist()}
    objects = [
        [
            name,
            int(own.sum()),
            *(_short(scores[key][own].mean()) for key in SCORES),
            *(_short(np.median(values[own])) for values in measured),
        ]
        for number, name in names.items()
        for own in [ids == number]
    ]
    picked = np.unique(np.linspace(0, len(ids) - 1, min(MOST_IMAGES, len(ids))).astype(int)).tolist()
    images = [
        [predictions.sample_id[i], names[int(ids[i])], *(_short(values[i]) for values in measured)]
        for i in picked
    ]
    medians = [f"median {name}" for name in ERRORS]
    return {
        OBJECTS: {"columns": ["object", "images", *SCORES.values(), *medians], "data": objects},
        IMAGES: {"columns": ["image", "object", *ERRORS], "data": images},
    }


def _short(value: Any) -> float | None:
    """With as many digits as one reads; JSON knows no infinity."""
    return round(float(value), 3) if np.isfinite(value) else None
