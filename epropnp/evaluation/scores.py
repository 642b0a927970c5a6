"""From predictions to the numbers of the tables: percentages per object, then averaged over objects."""

from collections.abc import Mapping

import numpy as np

from epropnp.data.format import ObjectModel
from epropnp.evaluation import metrics
from epropnp.evaluation.predictions import Predictions

ADD_THRESHOLDS = (0.02, 0.05, 0.10)  # fractions of the diameter
DEGCM_COLUMNS = (2, 5, 10)
PROJECTION_THRESHOLDS_PX = (2, 5, 10, 20)

Scores = dict[str, float]


def score(predictions: Predictions, objects: Mapping[int, ObjectModel]) -> Scores:
    """Scores in percent, averaged over the objects that occur.

    Keys: `add_0.02d`, `add_0.05d`, `add_0.10d` (ADD, or ADI for symmetric objects); `add_mean3`, the mean of
    these three (the official README's "Mean"); `add_area`, the area under the curve up to 0.1 d (the report's
    "Mean"); `2deg2cm`, `5deg5cm`, `10deg10cm`; `degcm_mean_1_10`; `proj_2px` to `proj_20px`.
    """
    per_object = [
        _score_object(predictions, objects[int(object_id)], predictions.object_id == object_id)
        for object_id in np.unique(predictions.object_id)
    ]
    return {key: float(np.mean([scores[key] for scores in per_object])) for key in per_object[0]}


def _score_object(predictions: Predictions, model: ObjectModel, chosen: np.ndarray) -> Scores:
    T_pred, T_true = predictions.T_pred[chosen], predictions.T_true[chosen]
    points = model.points.astype(np.float64)
    distance = metrics.adi_error if model.symmetric else metrics.add_error
    relative = distance(T_pred, T_true, points) / model.diameter_m
    # The study re-measures the eggbox after half a turn, and not the glue.
    rotation = metrics.half_turn_error_deg if model.name == "eggbox" else metrics.rotation_error_deg
    angle_deg = rotation(T_pred[:, :3, :3], T_true[:, :3, :3])
    shift_m = metrics.translation_error_m(T_pred, T_true)
    pixels = metrics.projection_error_px(T_pred, T_true, points, predictions.K[chosen])

    adds = {f"add_{t:.2f}d": metrics.accuracy(relative, t) for t in ADD_THRESHOLDS}
    degcm = {n: metrics.degcm_accuracy(angle_deg, shift_m, n) for n in range(1, 11)}
    return {
        **adds,
        "add_mean3": float(np.mean(list(adds.values()))),
        "add_area": metrics.area_under_curve(relative),
        **{f"{n}deg{n}cm": degcm[n] for n in DEGCM_COLUMNS},
        "degcm_mean_1_10": float(np.mean(list(degcm.values()))),
        **{f"proj_{p}px": metrics.accuracy(pixels, p) for p in PROJECTION_THRESHOLDS_PX},
    }
