"""Objects: the LineMOD ones with BOP ids, names, diameters and symmetries, and those of own data sets.

Diameters are those of the BOP benchmark's `models_info.json`. A second, different table circulates
for LineMOD: never mix the two, since the thresholds of ADD are fractions of the diameter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epropnp.errors import UserError, nearest

_SAME_DIAMETER = 0.01  # relative: BOP's tables differ from ours in rounding only, other objects by far


@dataclass(frozen=True, kw_only=True)
class ObjectInfo:
    """One object.

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


def identify(object_id: int, diameter_m: float, symmetric: bool) -> ObjectInfo:
    """The entry of a data set's object: LineMOD's where id and diameter are, else `obj_000001` and so on."""
    for info in LINEMOD.values():
        if info.object_id == object_id and abs(info.diameter_m - diameter_m) < _SAME_DIAMETER * diameter_m:
            return info
    name = f"obj_{object_id:06d}"
    return ObjectInfo(object_id=object_id, name=name, diameter_m=diameter_m, symmetric=symmetric)


def resolve_objects(
    names: Sequence[str], table: Mapping[str, ObjectInfo] = LINEMOD
) -> tuple[ObjectInfo, ...]:
    """Look up objects of a table by name, keeping the order given and dropping repetitions.

    Raises:
        UserError: for an empty list, or an unknown name (the message names the nearest one).
    """
    valid = ", ".join(table)
    if not names:
        raise UserError(f"no object given: name at least one of {valid}")
    for name in names:
        if name not in table:
            raise UserError(f"unknown object '{name}'{nearest(name, table)} (valid: {valid})")
    return tuple(table[name] for name in dict.fromkeys(names))
