"""The LineMOD objects: BOP ids, names, diameters and symmetries.

Diameters are those of the BOP benchmark's `models_info.json`. A second, different table circulates
for LineMOD: never mix the two, since the thresholds of ADD are fractions of the diameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from epropnp.errors import UserError, nearest


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One object of the benchmark.

    `symmetric` objects are scored by the closest model point (ADI); the stand-ins of the study's
    two are invariant under half a turn about z.
    """

    object_id: int
    name: str
    diameter_m: float
    symmetric: bool = False


def _table() -> dict[str, ObjectInfo]:
    rows = (  # id, name, diameter in millimetres, symmetric
        (1, "ape", 102.09865663, False),
        (2, "benchvise", 247.50624233, False),
        (3, "bowl", 167.35486092, True),
        (4, "camera", 172.49224865, False),
        (5, "can", 201.40358597, False),
        (6, "cat", 154.54551808, False),
        (7, "cup", 124.26430816, True),
        (8, "driller", 261.47178102, False),
        (9, "duck", 108.99920102, False),
        (10, "eggbox", 164.62758848, True),
        (11, "glue", 175.88933422, True),
        (12, "holepuncher", 145.54287471, False),
        (13, "iron", 278.07811733, False),
        (14, "lamp", 282.60129399, False),
        (15, "phone", 212.35825148, False),
    )
    return {
        name: ObjectInfo(object_id=i, name=name, diameter_m=mm / 1000.0, symmetric=symmetric)
        for i, name, mm, symmetric in rows
    }


LINEMOD: dict[str, ObjectInfo] = _table()
"""All 15 objects by name, in the order of their BOP ids."""

STUDY_OBJECTS: tuple[str, ...] = tuple(name for name in LINEMOD if name not in ("bowl", "cup"))
"""The 13 objects of the study, which leaves out bowl and cup."""


def resolve_objects(names: Sequence[str]) -> tuple[ObjectInfo, ...]:
    """Look up objects by name, keeping the order given and dropping repetitions.

    Raises:
        UserError: for an empty list, or an unknown name (the message names the nearest one).
    """
    if not names:
        raise UserError(f"no object given: name at least one of {', '.join(LINEMOD)}")
    for name in names:
        if name not in LINEMOD:
            valid = ", ".join(LINEMOD)
            raise UserError(f"unknown object '{name}'{nearest(name, LINEMOD)} (valid: {valid})")
    return tuple(LINEMOD[name] for name in dict.fromkeys(names))
