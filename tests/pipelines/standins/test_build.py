"""The procedural stand-ins: closed, sized, centred, textured, symmetric exactly where they must be."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, cKDTree
from scipy.spatial.distance import pdist

from epropnp.errors import UserError
from pipelines.objects import LINEMOD, STUDY_OBJECTS
from pipelines.rendering.mesh import Mesh, vertex_normals
from pipelines.standins.build import build_standin
from pipelines.standins.shapes import SHAPES

RESOLUTION = 40
SYMMETRIC = [name for name in STUDY_OBJECTS if LINEMOD[name].symmetric]
ASYMMETRIC = [name for name in STUDY_OBJECTS if not LINEMOD[name].symmetric]
every_object = pytest.mark.parametrize("name", STUDY_OBJECTS)


@cache
def coarse(name: str) -> Mesh:
    return build_standin(name, RESOLUTION)


def as_bytes(mesh: Mesh) -> bytes:
    arrays = (mesh.vertices, mesh.faces, mesh.colours, mesh.normals)
    return b"".join(array.tobytes() for array in arrays)


def turned_match(mesh: Mesh, angle_deg: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance (in diameters) and colour difference to the same mesh turned about z, per vertex."""
    a = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    distance, nearest = cKDTree(mesh.vertices).query(mesh.vertices @ turn.T)
    size = pdist(mesh.vertices[ConvexHull(mesh.vertices).vertices]).max()
    return distance / size, np.abs(mesh.colours - mesh.colours[nearest]).max(axis=1)


def test_every_object_of_the_study_has_a_shape() -> None:
    assert tuple(SHAPES) == STUDY_OBJECTS


@pytest.mark.slow
@every_object
def test_arrays_obey_the_mesh_contract(name: str) -> None:
    mesh = coarse(name)
    assert mesh.vertices.dtype == mesh.normals.dtype == np.float64
    assert mesh.faces.dtype == np.int32
    assert mesh.colours.dtype == np.float32
    assert mesh.vertices.shape == mesh.normals.shape == mesh.colours.shape
    assert mesh.colours.min() >= 0
    assert mesh.colours.max() <= 1
    assert np.array_equal(np.unique(mesh.faces), np.arange(len(mesh.vertices)))
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-9)


@every_object
def test_one_watertight_body_wound_outward(name: str) -> None:
    mesh = coarse(name)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.body_count == 1
    assert solid.volume > 0
    assert np.einsum("fi,fi->f", solid.face_normals, mesh.normals[mesh.faces[:, 0]]).mean() > 0.7


@every_object
def test_diameter_is_exactly_bops_and_box_is_centred(name: str) -> None:
    mesh = coarse(name)
    hull = mesh.vertices[ConvexHull(mesh.vertices).vertices]
    assert pdist(hull).max() == pytest.approx(LINEMOD[name].diameter_m, abs=1e-5)
    np.testing.assert_allclose(mesh.bounds_min, -mesh.bounds_max, atol=1e-9)


@pytest.mark.slow
@every_object
def test_same_bytes_twice(name: str) -> None:
    assert as_bytes(build_standin(name, 28)) == as_bytes(build_standin(name, 28))


def test_all_objects_differ() -> None:
    extents = np.array([coarse(n).bounds_max / LINEMOD[n].diameter_m for n in STUDY_OBJECTS])
    means = np.array([coarse(n).colours.mean(axis=0) for n in STUDY_OBJECTS])
    assert pdist(np.hstack([extents, means])).min() > 0.02


@every_object
def test_colours_vary_over_the_surface(name: str) -> None:
    mesh = coarse(name)
    assert mesh.colours.std(axis=0).max() > 0.12
    # Texture everywhere: few patches of a tenth of the diameter are of one colour only.
    tree = cKDTree(mesh.vertices)
    probes = mesh.vertices[:: max(1, len(mesh.vertices) // 300)]
    patches = tree.query_ball_point(probes, 0.1 * LINEMOD[name].diameter_m)
    contrast = np.array([mesh.colours[patch].std(axis=0).max() for patch in patches])
    assert np.quantile(contrast, 0.05) > 0.02
    assert np.median(contrast) > 0.08


@pytest.mark.parametrize("name", SYMMETRIC)
def test_half_turn_changes_nothing_on_symmetric_objects(name: str) -> None:
    distance, difference = turned_match(coarse(name), 180)
    assert distance.max() < 1e-4
    assert difference.max() < 2 / 255


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_objects_have_no_further_symmetry(name: str) -> None:
    distance, difference = turned_match(coarse(name), 90)
    assert np.mean((distance > 0.02) | (difference > 0.1)) > 0.5


@pytest.mark.parametrize("name", ASYMMETRIC)
@pytest.mark.parametrize("angle_deg", [90, 120, 180])
def test_other_objects_look_different_after_any_turn(name: str, angle_deg: float) -> None:
    distance, difference = turned_match(coarse(name), angle_deg)
    assert np.mean((distance > 0.02) | (difference > 0.1)) > 0.5


def test_finer_resolution_gives_the_same_object_with_more_vertices() -> None:
    coarse_mesh, fine_mesh = build_standin("cat", 32), build_standin("cat", 64)
    assert len(fine_mesh.vertices) > 3 * len(coarse_mesh.vertices)
    distance, _ = cKDTree(fine_mesh.vertices).query(coarse_mesh.vertices)
    assert np.quantile(distance, 0.95) < 0.03 * LINEMOD["cat"].diameter_m


@pytest.mark.parametrize(
    ("name", "resolution", "message"),
    [
        ("dog", 96, "unknown object 'dog'"),
        ("bowl", 96, "no stand-in"),
        ("cat", 4, "too coarse"),
    ],
)
def test_bad_requests_are_refused(name: str, resolution: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        build_standin(name, resolution)


def test_ply_round_trip(tmp_path: Path) -> None:
    mesh = coarse("glue")
    mesh.save(tmp_path / "glue.ply")
    again = Mesh.load(tmp_path / "glue.ply")
    np.testing.assert_allclose(again.vertices, mesh.vertices, rtol=0, atol=1e-12)
    np.testing.assert_allclose(again.normals, mesh.normals, atol=1e-9)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_array_equal(again.colours, mesh.colours)


def test_plain_ply_gets_grey_colours_and_computed_normals(tmp_path: Path) -> None:
    header = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\n"
    header += "property float z\nelement face 4\nproperty list uchar int vertex_indices\nend_header\n"
    body = "0 0 0\n9 0 0\n0 9 0\n0 0 9\n3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3\n"
    (tmp_path / "tetra.ply").write_text(header + body)
    mesh = Mesh.load(tmp_path / "tetra.ply")
    assert mesh.bounds_max[0] == pytest.approx(0.009)
    assert np.all(mesh.colours == 0.5)
    np.testing.assert_allclose(mesh.normals, vertex_normals(mesh.vertices, mesh.faces))
    assert np.all(mesh.normals[0] < 0)  # the corner at the origin looks away from the others


def test_missing_and_broken_files_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no mesh at"):
        Mesh.load(tmp_path / "nothing.ply")
    (tmp_path / "broken.ply").write_text("not a mesh")
    with pytest.raises(UserError, match="cannot read"):
        Mesh.load(tmp_path / "broken.ply")
