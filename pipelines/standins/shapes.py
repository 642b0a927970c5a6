"""The 13 stand-in objects by name: how each is composed of painted parts.

Units are arbitrary (an object is roughly 2 long; the build scales it to its BOP diameter) and z is
up. `eggbox` and `glue` are made of twins half a turn about z apart; every other object is made
different all around, so that no two poses look alike.
"""

from collections.abc import Callable

from pipelines.standins.animals import ape, cat, duck
from pipelines.standins.appliances import camera, iron, phone
from pipelines.standins.household import can, eggbox, glue, lamp
from pipelines.standins.materials import Part
from pipelines.standins.tools import benchvise, driller, holepuncher

SHAPES: dict[str, Callable[[], list[Part]]] = {
    "ape": ape,
    "benchvise": benchvise,
    "camera": camera,
    "can": can,
    "cat": cat,
    "driller": driller,
    "duck": duck,
    "eggbox": eggbox,
    "glue": glue,
    "holepuncher": holepuncher,
    "iron": iron,
    "lamp": lamp,
    "phone": phone,
}
