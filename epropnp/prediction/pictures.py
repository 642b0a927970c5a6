"""Estimates in their picture: contour, axes and box of each object."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel
from epropnp.prediction.estimate import Estimate
from epropnp.visualization.overlay import draw_prediction


def overlay(
    picture: NDArray[np.uint8],
    K: NDArray[np.float64],
    estimates: Iterable[Estimate],
    objects: Mapping[int, ObjectModel],
) -> NDArray[np.uint8]:
    """A copy of the picture (H, W, 3) of camera K (3, 3) with the estimates drawn into it."""
    drawn, placed = picture.copy(), list[tuple[float, float, float, float]]()
    for each in estimates:
        model = objects[each.object_id]
        draw_prediction(drawn, K, each.T_cam_obj, model, box=each.box, placed=placed)
    return drawn
