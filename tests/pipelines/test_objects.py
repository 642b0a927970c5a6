"""The table of LineMOD objects and the lookup by name."""

import pytest

from epropnp.errors import UserError
from pipelines.objects import LINEMOD, STUDY_OBJECTS, identify, resolve_objects


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


def test_resolve_looks_up_in_other_tables() -> None:
    info = identify(7, 0.04, symmetric=True)
    assert (info.name, info.symmetric, info.diameter_m) == ("obj_000007", True, 0.04)
    assert resolve_objects(["obj_000007"], {info.name: info}) == (info,)
    with pytest.raises(
        UserError, match=r"unknown object 'obj_07'; did you mean 'obj_000007'\? \(valid: obj_000007\)"
    ):
        resolve_objects(["obj_07"], {info.name: info})


def test_an_object_is_linemods_where_id_and_diameter_agree() -> None:
    assert identify(10, 0.1646, symmetric=False) is LINEMOD["eggbox"]
    assert identify(10, 0.17, symmetric=False).name == "obj_000010"
    assert identify(16, 0.1646, symmetric=False).name == "obj_000016"


@pytest.mark.parametrize(("factor", "known"), [(1.0, True), (1.009, True), (0.991, True), (1.011, False)])
def test_an_object_is_linemods_within_a_hundredth_of_its_diameter(factor: float, known: bool) -> None:
    cat = LINEMOD["cat"]
    found = identify(6, cat.diameter_m * factor, symmetric=True)
    assert (found is cat) == known
    if not known:
        assert (found.name, found.symmetric, found.diameter_m) == (
            "obj_000006",
            True,
            cat.diameter_m * factor,
        )
    assert identify(5, cat.diameter_m, symmetric=False).name == "obj_000005"
