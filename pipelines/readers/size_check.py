"""Sizes that cannot be: diameters other than the mesh's own, units that are a thousand times off."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from epropnp.data.schema import ObjectModel
from pipelines.readers.finding import Finding
from pipelines.readers.frames import Frame

_OFF = 0.02  # relative, of a diameter from the mesh's own: more than rounding and simplified meshes make
_FAR_OFF = 0.1  # that of another measure
_DIAGONAL = 0.01  # relative, of a diameter from the bounding box's diagonal that it is taken for
_SMALL_M, _LARGE_M = 0.002, 50.0  # of objects
_NEAR_M, _NEAR = 0.01, 0.5  # of distances, and in diameters; the layer takes depths below the first for it
_SMALL_PX = 3.0  # of an object in a picture
_BLOCK = 1024  # points whose distances are looked at together

Array = NDArray[np.float64]


def mesh_diameter_m(points: Array) -> float:
    """The largest distance between two points (n, 3), in metres."""
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # flat
        corners = np.unique(points, axis=0)
    blocks = (corners[i : i + _BLOCK] for i in range(0, len(corners), _BLOCK))
    return max(float(cdist(block, corners).max()) for block in blocks)


def check_diameter(model: ObjectModel) -> Finding | None:
    """Compares an object's diameter with its mesh's own: None where they agree."""
    own_m = mesh_diameter_m(model.points.astype(np.float64))
    times = model.diameter_m / own_m
    if abs(times - 1) <= _OFF:
        return None
    diagonal_m = float(np.linalg.norm(model.bounds_max - model.bounds_min))
    is_diagonal = abs(model.diameter_m / diagonal_m - 1) <= _DIAGONAL
    text = (
        f"the table's diameter is {1000 * model.diameter_m:.4g} mm"
        f"{', which is the diagonal of the bounding box' * is_diagonal}; the mesh's own is "
        f"{1000 * own_m:.4g} mm: thresholds of ADD(-S) are {times:.2f} times as wide as they should be"
    )
    return Finding(text=text, warns=True, refuses=abs(times - 1) > _FAR_OFF)


def check_units(model: ObjectModel, frames: Sequence[Frame]) -> Finding | None:
    """Looks for sizes and distances that no camera sees: None where there are none."""
    size_m = model.diameter_m
    if not frames:
        return _refused(f"the object is {_length(size_m)} large", _odd_size(size_m))
    distance_m = float(np.median([frame.T_cam_obj[2, 3] for frame in frames]))
    size_px = float(np.median([frame.K[0, 0] for frame in frames])) * size_m / distance_m
    place = f"the object is {_length(size_m)} large and {_length(distance_m)} away (median)"
    if distance_m < _NEAR_M and size_m < _SMALL_M:
        return _refused(place, "models and translations look like metres")
    if distance_m < max(_NEAR_M, _NEAR * size_m):
        return _refused(place, "translations look like metres")
    if size_px < _SMALL_PX:
        return _refused(place, f"it is {size_px:.2g} px wide: models and translations have other units")
    return _refused(place, _odd_size(size_m))


def _odd_size(size_m: float) -> str | None:
    if size_m < _SMALL_M:
        return "models look like metres"
    return "models look like millimetres" if size_m > _LARGE_M else None


def _refused(place: str, what: str | None) -> Finding | None:
    if what is None:
        return None
    return Finding(text=f"{place}: {what}; BOP has millimetres in both, CDPN's layout metres", refuses=True)


def _length(metres: float) -> str:
    return f"{1000 * metres:.3g} mm" if metres < 1 else f"{metres:.3g} m"
