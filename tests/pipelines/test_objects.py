"""The table of LineMOD objects and the lookup by name."""

import pytest

from epropnp.errors import UserError
from pipelines.objects import LINEMOD, STUDY_OBJECTS, resolve_objects


def test_table_has_the_fifteen_bop_objects_in_id_order() -> None:
    assert [info.object_id for info in LINEMOD.values()] == list(range(1, 16))
    assert all(name == info.name for name, info in LINEMOD.items())


def test_study_leaves_out_bowl_and_cup() -> None:
    assert len(STUDY_OBJECTS) == 13
    assert set(LINEMOD) - set(STUDY_OBJECTS) == {"bowl", "cup"}


@pytest.mark.parametrize(
    ("name", "diameter_mm"),
    [("ape", 102.099), ("cat", 154.546), ("eggbox", 164.628), ("lamp", 282.601), ("phone", 212.358)],
)
def test_diameters_are_bops(name: str, diameter_mm: float) -> None:
    assert LINEMOD[name].diameter_m * 1000 == pytest.approx(diameter_mm, abs=6e-4)


def test_symmetric_objects() -> None:
    symmetric = {name for name, info in LINEMOD.items() if info.symmetric}
    assert symmetric == {"bowl", "cup", "eggbox", "glue"}


def test_resolve_keeps_order_and_drops_repetitions() -> None:
    assert [info.name for info in resolve_objects(["phone", "ape", "phone"])] == ["phone", "ape"]


def test_resolve_names_the_nearest_object() -> None:
    with pytest.raises(UserError, match=r"unknown object 'drill'.*did you mean 'driller'"):
        resolve_objects(["cat", "drill"])


def test_resolve_refuses_an_empty_list() -> None:
    with pytest.raises(UserError, match="no object given"):
        resolve_objects([])
