"""The errors of every predicted pose, before any threshold: computed once, scored as often as one likes."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from epropnp.evaluation import metrics
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.predictions import Predictions

BOP_WIDTH_PX = 640  # MSPD is measured in pixels of an image this wide


@dataclass(frozen=True, kw_only=True)
class PoseErrors:
    """Errors of n predicted poses, each (n,); NaN for a pose that is not finite.

    Attributes:
        object_id: which object.
        diameter_m: of that object.
        add_m: ADD, or ADI for symmetric objects.
        angle_deg: rotation; the eggbox, where it is above 90 degrees, is measured again after half a turn.
        shift_m: translation.
        projection_px: mean over model points; the eggbox likewise.
        mssd_m: maximum symmetry-aware surface distance, over the points of the BOP metrics.
        mspd_px: maximum symmetry-aware projection distance over them, in pixels of an image 640 px wide.
    """

    object_id: Array
    diameter_m: Array
    add_m: Array
    angle_deg: Array
    shift_m: Array
    projection_px: Array
    mssd_m: Array
    mspd_px: Array


def pose_errors(
    predictions: Predictions, objects: Mapping[int, ObjectModel], threads: int = -1
) -> PoseErrors:
    """All errors of all predictions.

    Args:
        predictions: the poses, beside the true ones.
        objects: their models.
        threads: for symmetric objects, whose errors take a core up to half a second per image; -1: all cores.

    Raises:
        UserError: an object is not among `objects`.
    """
    names = [field.name for field in fields(PoseErrors) if field.name != "object_id"]
    columns = {name: np.full(len(predictions), np.nan) for name in names}
    for object_id in np.unique(predictions.object_id).tolist():
        chosen = predictions.object_id == object_id
        found = _errors_of(predictions, _model(objects, object_id), chosen, threads)
        for name, values in found.items():
            columns[name][chosen] = values
    return PoseErrors(object_id=predictions.object_id, **columns)


def _model(objects: Mapping[int, ObjectModel], object_id: int) -> ObjectModel:
    if object_id not in objects:
        known = ", ".join(map(str, sorted(objects))) or "none"
        raise UserError(f"there is no model of object {object_id} (known: {known}): give their dataset")
    return objects[object_id]


def _errors_of(
    predictions: Predictions, model: ObjectModel, chosen: Array, threads: int
) -> dict[str, Array | float]:
    T_pred, T_true = predictions.T_pred[chosen], predictions.T_true[chosen]
    K, width_px = predictions.K[chosen], predictions.image_size[chosen, 0]
    points, symmetries = model.points.astype(np.float64), model.symmetries
    points_bop = points if model.points_bop is None else model.points_bop.astype(np.float64)
    # The study re-measures the eggbox after half a turn, and not the glue.
    T_near = metrics.turned_nearer(T_pred, T_true) if model.name == "eggbox" else T_pred
    return {
        "diameter_m": model.diameter_m,
        "add_m": (
            metrics.adi_error(T_pred, T_true, points, threads)
            if model.symmetric
            else metrics.add_error(T_pred, T_true, points)
        ),
        "angle_deg": metrics.rotation_error_deg(T_near[:, :3, :3], T_true[:, :3, :3]),
        "shift_m": metrics.translation_error_m(T_pred, T_true),
        "projection_px": metrics.projection_error_px(T_near, T_true, points, K),
        "mssd_m": metrics.mssd_error(T_pred, T_true, points_bop, symmetries),
        "mspd_px": metrics.mspd_error(T_pred, T_true, points_bop, K, symmetries) * BOP_WIDTH_PX / width_px,
    }
