"""Groups of symmetries against those of known bodies: their orders, their motions, what stays in place."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from epropnp.errors import UserError
from epropnp.evaluation.metrics import mssd_error
from pipelines.readers.bop_models import ModelsInfo
from pipelines.readers.symmetry_group import Axis, is_closed, symmetry_group

D = 0.1  # metres
Z = Axis(direction=np.array([0.0, 0.0, 1.0]), point=np.zeros(3))
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def about(axis: str, angle_deg: float, point: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler(axis, angle_deg, degrees=True).as_matrix()
    T[:3, 3] = np.array(point) - T[:3, :3] @ point
    return T


def gap(found: np.ndarray, T: np.ndarray) -> float:
    return float(np.abs(found - T).max(axis=(1, 2)).min())


@pytest.mark.parametrize(
    ("generators", "order"),
    [
        ([], 1),
        ([about("z", 180)], 2),
        ([about("z", 120)], 3),
        ([about("z", 90)], 4),
        ([about("z", 3.6)], 100),  # a gear wheel
        ([about("z", 180), about("x", 180)], 4),  # a box
        ([about("z", 120), about("x", 180)], 6),  # a prism
        ([about("z", 72), about("x", 180)], 10),
        ([about("z", 180), about("x", 180), about("y", 180), np.eye(4)], 4),  # nothing is missing
        ([about("z", 90), about("x", 90)], 24),  # a cube
        ([about("z", 90, (0.4, -0.2, 0.3)), about("x", 90, (0.4, -0.2, 0.3))], 24),  # far from the origin
    ],
)
def test_discrete_symmetries_make_the_groups_of_known_bodies(
    generators: list[np.ndarray], order: int
) -> None:
    found = symmetry_group(generators, [], D)
    assert len(found) == order
    np.testing.assert_array_equal(found[0], np.eye(4))
    assert is_closed(found)
    for first, second in itertools.product(found[:12], repeat=2):
        assert gap(found, first @ second) < 1e-9
    assert all(gap(found, np.linalg.inv(T)) < 1e-9 for T in found)


def test_an_icosahedron_has_sixty() -> None:
    golden = (1 + 5**0.5) / 2
    fifth, half = np.eye(4), about("z", 180)
    axis = np.array([0, 1, golden]) / np.linalg.norm([0, 1, golden])
    fifth[:3, :3] = Rotation.from_rotvec(np.radians(72) * axis).as_matrix()
    assert len(symmetry_group([fifth, half], [], D)) == 60


@pytest.mark.parametrize("decimals", [2, 3, 6])
def test_rounded_tables_make_the_same_groups(decimals: int) -> None:
    given = [about("z", 60).round(decimals), about("x", 180)]
    assert len(symmetry_group(given, [], D)) == 12


def test_a_half_turn_that_was_fitted_to_a_scan_stays_one() -> None:
    fitted = about("z", 178.472)  # as that of LineMOD's glue
    found = symmetry_group([fitted], [], D)
    np.testing.assert_array_equal(found, [np.eye(4), fitted])
    assert is_closed(found)


def test_what_closes_nowhere_comes_back_as_it_is() -> None:
    given = [about("z", np.degrees(1.0)), about("x", np.degrees(1.0))]
    found = symmetry_group(given, [], D)
    np.testing.assert_array_equal(found, [np.eye(4), *given])
    assert not is_closed(found)


@pytest.mark.parametrize("point", [(0.0, 0.0, 0.0), (0.02, -0.01, 0.3)])
def test_a_cylinder_has_every_turn_upside_down_too(point: tuple[float, float, float]) -> None:
    axis = Axis(direction=np.array([0.0, 0.0, 1.0]), point=np.array(point))
    found = symmetry_group([about("x", 180, point)], [axis], D)
    assert len(found) == 128
    assert is_closed(found)
    for k, flipped in itertools.product(range(0, 64, 7), (False, True)):
        T = about("z", 360 * k / 64, point) @ (about("x", 180, point) if flipped else np.eye(4))
        assert gap(found, T) < 1e-9
    around = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    rims = [
        np.stack([0.03 * np.cos(around), 0.03 * np.sin(around), 0 * around + z], 1) for z in (-0.05, 0.05)
    ]
    points = np.concatenate(rims) + point
    truth = np.eye(4)[None].copy()
    truth[0, 2, 3] = 0.5
    same = truth @ about("z", 90, point) @ about("y", 180, point)
    assert mssd_error(same, truth, points, found)[0] < 1e-9
    assert mssd_error(same, truth, points, found[:64])[0] > 0.01  # the turns alone


@pytest.mark.parametrize("discrete", [[about("z", 90)], [about("z", 72)], [about("z", 180), about("z", 10)]])
def test_turns_about_the_axis_add_nothing_to_all_of_them(discrete: list[np.ndarray]) -> None:
    found = symmetry_group(discrete, [Z], D)
    np.testing.assert_allclose(found, Z.turns(), atol=1e-12)


def test_one_axis_named_twice_is_one() -> None:
    down = Axis(direction=np.array([0.0, 0.0, -1.0]), point=np.array([0.0, 0.0, 0.07]))
    assert len(symmetry_group([], [Z, down], D)) == 64
    assert len(symmetry_group([FLIP], [Z, down], D)) == 128


@pytest.mark.parametrize("discrete", [[], [about("x", 90)]])
def test_two_axes_that_meet_are_those_of_a_ball(discrete: list[np.ndarray]) -> None:
    x = Axis(direction=np.array([1.0, 0.0, 0.0]), point=np.array([0.5, 0.0, 0.0]))
    found = symmetry_group(discrete, [Z] if discrete else [Z, x], D)
    np.testing.assert_array_equal(found[0], np.eye(4))
    np.testing.assert_allclose(found[:, :3, 3], 0, atol=1e-12)
    asked = Rotation.random(200, rng=np.random.default_rng(0)).as_matrix()
    traces = np.einsum("aij,bij->ab", asked, found[:, :3, :3]).max(axis=1)
    assert np.degrees(np.arccos((traces.min() - 1) / 2)) < 30  # of any rotation, one is near


def test_axes_that_do_not_meet_are_those_of_no_body() -> None:
    x = Axis(direction=np.array([1.0, 0.0, 0.0]), point=np.array([0.0, 0.05, 0.0]))
    assert len(symmetry_group([], [Z, x], D)) == 127


def info_with(root: Path, entry: dict[str, Any]) -> ModelsInfo:
    (root / "models").mkdir(exist_ok=True)
    table = {"5": {"diameter": 100.0, **entry}}
    (root / "models" / "models_info.json").write_text(json.dumps(table))
    return ModelsInfo(root)


def test_a_table_with_both_kinds_is_a_group_in_metres(tmp_path: Path) -> None:
    flip = about("x", 180, (0, 0, 10))  # millimetres in the file
    continuous = [{"axis": [0, 0, 2], "offset": [30, 0, 0]}]
    flip[:3, 3] = [0, 0, 20]
    entry = {"symmetries_continuous": continuous, "symmetries_discrete": [flip.ravel().tolist()]}
    found = info_with(tmp_path, entry).symmetries(5)
    assert len(found) == 128
    for T in found:  # the middle of the axis stays
        np.testing.assert_allclose(T @ [0.03, 0, 0.01, 1], [0.03, 0, 0.01, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.diag([-1.0, 1.0, 1.0, 1.0]), "mirrors it"),
        (np.diag([2.0, 1.0, 1.0, 1.0]), "is no rigid motion"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "is no rigid motion"),
        (np.zeros((4, 4)), "is no rigid motion"),
        (about("z", 180) + np.eye(4)[[3, 1, 2, 0]] * 0.5, "is no rigid motion"),
    ],
)
def test_what_is_not_rigid_is_an_error_that_names_the_object(
    tmp_path: Path, matrix: np.ndarray, words: str
) -> None:
    table = info_with(tmp_path, {"symmetries_discrete": [FLIP.ravel().tolist(), matrix.ravel().tolist()]})
    with pytest.raises(UserError, match=f"models_info.json: entry 1 .* of object 5 {words}"):
        table.symmetries(5)
