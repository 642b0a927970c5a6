"""The objects of a BOP data set: names, metres, symmetries."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.objects import LINEMOD
from pipelines.readers.bop import BopFolder
from tests.pipelines.folders import bop_files, write_files
from tests.pipelines.readers.test_bop import edit

CAT = LINEMOD["cat"]


def test_model_has_metres_bounds_and_symmetries(bop_dir: Path) -> None:
    data = BopFolder(bop_dir)
    model = data.model(CAT)
    assert model.diameter_m == 0.1545  # exactly: the decimal point is moved
    assert model.symmetries.shape == (2, 4, 4)
    np.testing.assert_array_equal(model.symmetries[0], np.eye(4))
    assert model.symmetries[1][1, 3] == 0.002
    assert model.points.shape == data.mesh(CAT).vertices.shape
    np.testing.assert_allclose(model.bounds_min, data.mesh(CAT).vertices.min(axis=0))


def test_symmetry_of_revolution_becomes_turns(bop_dir: Path) -> None:
    symmetry = {"axis": [0, 0, 1], "offset": [10, 0, 0]}
    file = bop_dir / "models" / "models_info.json"
    edit(file, lambda t: t["6"].update(symmetries_continuous=[symmetry], symmetries_discrete=[]))
    turns = BopFolder(bop_dir).model(CAT).symmetries
    assert len(turns) == 64
    moved = turns @ np.array([0.01, 0.0, 0.05, 1.0])  # a point of the axis stays
    np.testing.assert_allclose(moved, np.tile([0.01, 0.0, 0.05, 1.0], (64, 1)), atol=1e-12)


def write_half(root: Path, diameter_mm: float) -> BopFolder:
    """Give object 6 a `models_eval/` with a mesh of half the size."""
    folder = root / "models_eval"
    folder.mkdir()
    mesh = BopFolder(root).mesh(CAT)
    half = type(mesh)(mesh.vertices * 0.5, mesh.faces, mesh.colours, mesh.normals)
    half.save(folder / "obj_000006.ply")
    (folder / "models_info.json").write_text(json.dumps({"6": {"diameter": diameter_mm}}))
    return BopFolder(root)


def test_tables_of_evaluation_come_first(bop_dir: Path) -> None:
    model = write_half(bop_dir, 150.0).model(CAT)
    assert (model.diameter_m, len(model.symmetries)) == (0.15, 2)  # symmetries are in models/ only


def test_add_of_linemods_objects_goes_by_models_and_bops_metrics_by_models_eval(bop_dir: Path) -> None:
    before = BopFolder(bop_dir).model(CAT)
    assert before.points_bop is None
    model = write_half(bop_dir, 154.5).model(CAT)
    np.testing.assert_array_equal(model.points, before.points)
    assert model.points_bop is not None
    np.testing.assert_allclose(model.points_bop, before.points * 0.5, atol=1e-9)


def test_all_metrics_of_other_objects_go_by_models_eval(bop_dir: Path) -> None:
    data = write_half(bop_dir, 199.0)  # not the diameter of LineMOD's cat
    (info,) = data.objects().values()
    assert info.name == "obj_000006"
    model = data.model(info)
    assert model.points_bop is None
    np.testing.assert_allclose(model.points.max(axis=0), model.bounds_max * 0.5, atol=1e-6)


def test_the_real_meshes_are_the_studys_and_bops(shared_data: Path) -> None:
    data = BopFolder(shared_data / "lm")
    counts = {"ape": (5841, 2825), "eggbox": (18473, 7862)}  # as the headers of the files say
    for name, (study, bop) in counts.items():
        model = data.model(LINEMOD[name])
        assert model.points_bop is not None
        assert (len(model.points), len(model.points_bop)) == (study, bop)


def test_objects_are_linemods_only_where_the_diameter_is(tmp_path: Path) -> None:
    data = BopFolder(write_files(bop_files(), tmp_path))
    objects = data.objects()
    assert list(objects) == ["obj_000001", "obj_000007"]
    assert [info.symmetric for info in objects.values()] == [False, True]
    edit(tmp_path / "models" / "models_info.json", lambda t: t["1"].update(diameter=102.1))
    assert data.objects()["ape"] is LINEMOD["ape"]


def test_real_tables_have_linemods_names(shared_data: Path) -> None:
    assert list(BopFolder(shared_data / "lm").objects().values()) == list(LINEMOD.values())
    occluded = ("ape", "can", "cat", "driller", "duck", "eggbox", "glue", "holepuncher")
    assert tuple(BopFolder(shared_data / "lmo").objects()) == occluded


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({}, "object 1 has no key 'diameter'"),
        ({"diameter": "70"}, "object 1 needs 1 number under 'diameter'"),
        ({"diameter": 0}, "'diameter' that is not positive"),
        ({"diameter": 70, "symmetries_discrete": [[1, 0]]}, "needs 16 numbers under 'symmetries_discrete'"),
        ({"diameter": 70, "symmetries_continuous": 3}, "needs a list under 'symmetries_continuous'"),
        ({"diameter": 70, "symmetries_continuous": [{"axis": [0, 0, 1]}]}, "no key 'offset'"),
        ({"diameter": 70, "symmetries_continuous": [{"axis": [0, 0, 0], "offset": [0, 0, 0]}]}, "length 0"),
        ([], "no key 'diameter'"),
    ],
)
def test_broken_tables_are_explained(tmp_path: Path, entry: Any, words: str) -> None:
    write_files(bop_files(), tmp_path)
    edit(tmp_path / "models" / "models_info.json", lambda t: t.update({"1": entry}))
    with pytest.raises(UserError, match=words) as raised:
        BopFolder(tmp_path).objects()
    assert "models_info.json" in str(raised.value)


def test_metres_taken_for_millimetres_are_noticed(bop_dir: Path) -> None:
    data = BopFolder(bop_dir)
    data.mesh(CAT).save(bop_dir / "models" / "obj_000006.ply", unit_m=1.0)
    with pytest.raises(
        UserError, match=r"mesh of cat .* 0\.000\d+ m .* diameter is 0\.1545 m: check the units"
    ):
        data.model(CAT)


def test_missing_mesh_is_named(bop_dir: Path) -> None:
    (bop_dir / "models" / "obj_000006.ply").unlink()
    with pytest.raises(UserError, match=r"obj_000006\.ply"):
        BopFolder(bop_dir).model(CAT)
