"""Distances of moved meshes from themselves, known by geometry, and what is said of them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipelines.readers.symmetry_check import off_mesh_m, symmetry_report
from pipelines.rendering.mesh import Mesh, vertex_normals
from tests.pipelines.folders import lump

CORNERS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
QUADS = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
HALVES = np.array([half for a, b, c, d in QUADS for half in ([a, b, c], [a, c, d])], np.int32)


def box(half_m: tuple[float, float, float]) -> Mesh:
    """A box with two triangles a side."""
    vertices = CORNERS * half_m
    grey = np.full((8, 3), 0.5, np.float32)
    return Mesh(vertices, HALVES, grey, vertex_normals(vertices, HALVES))


def turns(*angles_deg: float, shift_m: float = 0.0) -> np.ndarray:
    found = [np.eye(4)]
    for angle in angles_deg:
        T = np.eye(4)
        T[:3, :3] = Rotation.from_euler("z", angle, degrees=True).as_matrix()
        T[0, 3] = shift_m
        found.append(T)
    return np.stack(found)


BOX = box((0.04, 0.02, 0.01))  # 80 x 40 x 20 mm, of diameter 91.7 mm


@pytest.mark.parametrize(
    ("symmetries", "off_mm"),
    [
        (turns(180), 0.0),
        (turns(90), 20.0),  # the corner at (20, 40) mm lies 20 mm beyond the side at 20 mm
        (turns(180, 90), 20.0),  # the worst counts
        (turns(180, shift_m=0.003), 3.0),
    ],
)
def test_the_distance_is_that_of_the_worst_point_from_the_surface(
    symmetries: np.ndarray, off_mm: float
) -> None:
    assert 1000 * off_mesh_m(symmetries, BOX) == pytest.approx(off_mm, abs=1e-6)


def test_points_of_a_face_need_no_vertex_near_them() -> None:
    square = box((0.03, 0.03, 0.01))
    # Turned by 45 degrees the corners stand out of the sides by (sqrt(2) - 1) * 30 mm.
    assert 1000 * off_mesh_m(turns(45), square) == pytest.approx(12.426, abs=1e-3)


def test_what_is_right_is_said_with_distance_and_tolerance() -> None:
    assert symmetry_report(turns(180, shift_m=0.003), BOX, 0.0917) == (
        "2 symmetries map the mesh onto itself within 3 mm (9.2 mm, a tenth of the diameter, is allowed)"
    )


def test_what_is_wrong_is_a_warning() -> None:
    line = symmetry_report(turns(90), BOX, 0.0917)
    assert line.startswith("WARNING: 2 symmetries, of which one moves the mesh 20 mm off itself (9.2 mm")
    assert "MSSD and MSPD take wrong poses for right ones" in line
    assert symmetry_report(turns(180), lump(1, 0.07), 0.07).startswith("WARNING")


def test_motions_that_are_no_group_are_called_so() -> None:
    assert "they are no group" in symmetry_report(turns(60), BOX, 0.0917)
    assert "they are no group" not in symmetry_report(turns(180), BOX, 0.0917)
