"""Tables of a run, as the MLflow UI shows and compares them: errors by object, and of single images.

They are of what poses alone tell, in milliseconds: scores need meshes, and a core that trials need.
"""

from pathlib import Path
from typing import Any

import numpy as np

from epropnp.evaluation.predictions import Predictions

LOGGED_TAG = "mlflow.loggedArtifacts"  # by which the UI finds tables
OBJECTS, IMAGES = "objects.json", "images.json"
MOST_IMAGES = 200
SHIFT, ANGLE = "shift cm", "angle deg"  # the angle knows no symmetries: of a round object it says little


def tables_of(file: Path) -> dict[str, dict[str, list[Any]]]:
    """By name, from a file of predictions. UserError where it cannot be read.

    Images are picked evenly: the same ones in all trials of a sweep, so that they can be compared.
    """
    predictions = Predictions.read(file)
    ids, T_pred, T_true = predictions.object_id, predictions.T_pred, predictions.T_true
    shift_cm = 100 * np.linalg.norm(T_pred[:, :3, 3] - T_true[:, :3, 3], axis=1)  # (n,)
    trace = np.einsum("nij,nij->n", T_pred[:, :3, :3], T_true[:, :3, :3])
    angle_deg = np.degrees(np.arccos(((trace - 1) / 2).clip(-1, 1)))
    names = {
        number: predictions.objects[number].name if number in predictions.objects else str(number)
        for number in np.unique(ids).tolist()
    }
    objects = [
        [name, int(own.sum()), _short(np.median(shift_cm[own])), _short(np.median(angle_deg[own]))]
        for number, name in names.items()
        for own in [ids == number]
    ]
    picked = np.unique(np.linspace(0, len(ids) - 1, min(MOST_IMAGES, len(ids))).astype(int)).tolist()
    images = [
        [predictions.sample_id[i], names[int(ids[i])], _short(shift_cm[i]), _short(angle_deg[i])]
        for i in picked
    ]
    return {
        OBJECTS: {"columns": ["object", "images", f"median {SHIFT}", f"median {ANGLE}"], "data": objects},
        IMAGES: {"columns": ["image", "object", SHIFT, ANGLE], "data": images},
    }


def _short(value: Any) -> float | None:
    """With as many digits as one reads; JSON knows no infinity."""
    return round(float(value), 2) if np.isfinite(value) else None
