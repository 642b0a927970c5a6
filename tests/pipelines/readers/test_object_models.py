"""The dataset's entry of an object."""

import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.objects import LINEMOD
from pipelines.readers.object_models import half_turns, object_model
from tests.pipelines.folders import lump
from tests.pipelines.sheets import sheet


def test_entry_holds_the_bounds_of_one_mesh_and_the_points_of_another() -> None:
    mesh, points = lump(1, 0.15), lump(2, 0.14).vertices
    model = object_model(LINEMOD["eggbox"], mesh, points, 0.15, half_turns(LINEMOD["eggbox"]))
    np.testing.assert_array_equal(model.bounds_min, mesh.vertices.min(axis=0))
    np.testing.assert_array_equal(model.bounds_max, mesh.vertices.max(axis=0))
    np.testing.assert_array_equal(model.points, points.astype(np.float32))
    assert (model.object_id, model.name, model.symmetric, model.diameter_m) == (10, "eggbox", True, 0.15)
    point = model.symmetries @ np.array([0.1, 0.2, 0.3, 1.0])
    np.testing.assert_allclose(point[:, :3], [[0.1, 0.2, 0.3], [-0.1, -0.2, 0.3]])


def test_asymmetric_objects_have_the_identity_alone() -> None:
    np.testing.assert_array_equal(half_turns(LINEMOD["cat"]), np.eye(4)[None])


@pytest.mark.parametrize("diameter_m", [0.00015, 150.0])
def test_wrong_units_are_noticed(diameter_m: float) -> None:
    mesh = lump(1, 0.15)
    with pytest.raises(UserError, match=r"the mesh of cat .* check the units of both"):
        object_model(LINEMOD["cat"], mesh, mesh.vertices, diameter_m, half_turns(LINEMOD["cat"]))


@pytest.mark.parametrize(("diagonal", "fits"), [(0.1, True), (0.099, False), (10.0, True), (10.1, False)])
def test_beyond_a_factor_of_ten_units_are_mistaken(diagonal: float, fits: bool) -> None:
    cat, mesh = LINEMOD["cat"], sheet(diagonal, 0.0)
    if fits:
        assert object_model(cat, mesh, mesh.vertices, 1.0, half_turns(cat)).diameter_m == 1.0
        return
    with pytest.raises(UserError, match="check the units of both"):
        object_model(cat, mesh, mesh.vertices, 1.0, half_turns(cat))
