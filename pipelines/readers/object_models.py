"""The dataset's entry of an object, made of its mesh and of what a table says about it."""

import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from pipelines.objects import ObjectInfo
from pipelines.rendering.mesh import Mesh

_DIAGONAL_RANGE = (0.1, 10.0)  # of the bounding box, in diameters: beyond, units are mistaken


def half_turns(info: ObjectInfo) -> NDArray[np.float64]:
    """The study's symmetries (n, 4, 4): half a turn about z for the symmetric objects."""
    turns = [np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0])]
    return np.stack(turns if info.symmetric else turns[:1])


def points_report(model: ObjectModel) -> str:
    """Which points an object's metrics go by, where they do not all go by the same."""
    if model.points_bop is None:
        return ""
    return (
        f"ADD, ADI and the projection error go by the {len(model.points)} vertices of the rendered mesh, as "
        f"in the study, BOP's metrics by the {len(model.points_bop)} of the mesh for evaluation"
    )


def object_model(
    info: ObjectInfo,
    mesh: Mesh,
    points: NDArray[np.float64],
    diameter_m: float,
    symmetries: NDArray[np.float64],
    points_bop: NDArray[np.float64] | None = None,
) -> ObjectModel:
    """The dataset's entry of an object: bounds enclose the rendered mesh, `points` (P, 3) are scored.

    `points_bop` are for the BOP metrics, where those go by others.

    Raises:
        UserError: when the mesh cannot have that diameter, as with millimetres taken for metres.
    """
    low, high = mesh.bounds_min, mesh.bounds_max
    diagonal = float(np.linalg.norm(high - low))
    if not _DIAGONAL_RANGE[0] <= diagonal / diameter_m <= _DIAGONAL_RANGE[1]:
        raise UserError(
            f"the mesh of {info.name} has a bounding box of {diagonal:.6g} m from corner to corner, but the "
            f"models' table says that its diameter is {diameter_m:.6g} m: check the units of both"
        )
    return ObjectModel(
        object_id=info.object_id,
        name=info.name,
        diameter_m=diameter_m,
        bounds_min=low,
        bounds_max=high,
        symmetric=info.symmetric,
        symmetries=symmetries,
        points=points.astype(np.float32),
        points_bop=None if points_bop is None else points_bop.astype(np.float32),
    )
