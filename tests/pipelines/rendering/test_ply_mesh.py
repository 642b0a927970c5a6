"""Meshes as exporters write them, against a box whose numbers are known."""

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.rendering.mesh import Mesh

# A box of 120 x 80 x 50 mm; its sides in the order of its volume's outward turns.
VERTICES = np.array([[x, y, z] for x in (-60, 60) for y in (-40, 40) for z in (-25, 25)], np.float64)
SIDES = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
MIXED = SIDES[:3] + [[q[a], q[b], q[c]] for q in SIDES[3:] for a, b, c in ((0, 1, 2), (0, 2, 3))]
PAINT = np.arange(24).reshape(8, 3) * 10 + 5  # at vertices
TINTS = np.array([[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [0, 250, 250], [250, 0, 250]])
FORMATS = ["ascii", "binary_little_endian", "binary_big_endian"]
CODES = {"float": "f", "double": "d", "uchar": "B", "ushort": "H", "int": "i"}


def write(
    file: Path,
    kind: str,
    columns: dict[str, tuple[str, np.ndarray]],
    faces: list[list[int]],
    face_columns: dict[str, tuple[str, np.ndarray]] | None = None,
    comments: tuple[str, ...] = (),
    corners: list[list[float]] | None = None,
) -> Path:
    """A PLY file: numbers of vertices and faces by name, with their types; texture coordinates of corners."""
    tables = {"vertex": columns, "face": face_columns or {}}
    lines = ["ply", f"format {kind} 1.0", *(f"comment {comment}" for comment in comments)]
    order, content, text = ">" if "big" in kind else "<", b"", ""
    for name, table in tables.items():
        count = len(VERTICES) if name == "vertex" else len(faces)
        lines.append(f"element {name} {count}")
        lines += [f"property {dtype} {column}" for column, (dtype, _) in table.items()]
        lists: list[tuple[str, Any]] = [("int", faces)] if name == "face" else []
        if name == "face":
            lines.append("property list uchar int vertex_indices")
            if corners is not None:
                lines.append("property list uchar float texcoord")
                lists.append(("float", corners))
        for row in range(count):
            for dtype, values in table.values():
                content += struct.pack(order + CODES[dtype], values[row])
                text += f"{values[row]} "
            for dtype, rows in lists:
                content += struct.pack(f"{order}B{len(rows[row])}{CODES[dtype]}", len(rows[row]), *rows[row])
                text += " ".join(map(str, [len(rows[row]), *rows[row]])) + " "
            text += "\n"
    header = "\n".join([*lines, "end_header\n"]).encode("latin-1")
    file.write_bytes(header + (text.encode() if kind == "ascii" else content))
    return file


def numbers(values: np.ndarray, names: tuple[str, ...], dtype: str) -> dict[str, tuple[str, np.ndarray]]:
    return {name: (dtype, values[:, i]) for i, name in enumerate(names)}


XYZ = numbers(VERTICES, ("x", "y", "z"), "float")


def volume(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ni,ni->", a, np.cross(b, c)) / 6)


def colours_of_sides(mesh: Mesh) -> dict[tuple[int, float], set[tuple[int, ...]]]:
    """All colours at the corners of the triangles of every side: axis and sign by colours of 8 bits."""
    found: dict[tuple[int, float], set[tuple[int, ...]]] = {}
    for triangle in mesh.faces:
        corners = mesh.vertices[triangle]
        axis = int(np.argmin(np.ptp(corners, axis=0)))
        rgb = np.rint(mesh.colours[triangle] * 255).astype(int)
        found.setdefault((axis, float(np.sign(corners[0, axis]))), set()).update(map(tuple, rgb.tolist()))
    return found


@pytest.mark.parametrize("kind", FORMATS)
def test_triangles_and_quads_of_one_list(tmp_path: Path, kind: str) -> None:
    mesh = Mesh.load(write(tmp_path / "a.ply", kind, XYZ, MIXED))
    assert mesh.faces.shape == (12, 3)
    assert volume(mesh) == pytest.approx(0.12 * 0.08 * 0.05)
    np.testing.assert_allclose(mesh.vertices * 1000, VERTICES)


@pytest.mark.parametrize("kind", FORMATS)
def test_polygons_of_more_corners(tmp_path: Path, kind: str) -> None:
    """Two hexagons around a diagonal: no closed body, but 4 + 4 triangles."""
    mesh = Mesh.load(
        write(tmp_path / "a.ply", kind, XYZ, [[0, 1, 3, 7, 6, 4], [0, 1, 3], [0, 4, 6, 7, 3, 1]])
    )
    assert mesh.faces.shape == (4 + 1 + 4, 3)


@pytest.mark.parametrize("uv", [None, ("s", "t"), ("u", "v"), ("texture_u", "texture_v")])
@pytest.mark.parametrize("names", ["{}", "diffuse_{}", "{:.1}"])
@pytest.mark.parametrize("kind", FORMATS)
def test_colours_of_vertices_under_all_names_beside_texture_coordinates(
    tmp_path: Path, kind: str, names: str, uv: tuple[str, str] | None
) -> None:
    columns = XYZ | numbers(PAINT, tuple(names.format(c) for c in ("red", "green", "blue")), "uchar")
    if uv is not None:
        columns |= numbers(VERTICES[:, :2] / 100, uv, "float")
    mesh = Mesh.load(write(tmp_path / "a.ply", kind, columns, MIXED))
    for vertex, colour in zip(VERTICES, PAINT, strict=True):
        at = np.isclose(mesh.vertices * 1000, vertex).all(axis=1)
        assert at.any()
        np.testing.assert_allclose(mesh.colours[at] * 255, np.tile(colour, (at.sum(), 1)), atol=1e-4)
    assert mesh.remarks == ()
    assert mesh.texture is None


@pytest.mark.parametrize(
    ("dtype", "scale"), [("float", 1 / 255), ("double", 1 / 255), ("float", 1.0), ("ushort", 257), ("int", 1)]
)
def test_colours_of_all_kinds_of_numbers(tmp_path: Path, dtype: str, scale: float) -> None:
    values = PAINT * scale
    if dtype in ("ushort", "int"):
        values = values.astype(int)
    columns = XYZ | numbers(values, ("red", "green", "blue"), dtype)
    mesh = Mesh.load(write(tmp_path / "a.ply", "binary_little_endian", columns, SIDES))
    np.testing.assert_allclose(mesh.colours * 255, PAINT, atol=1e-4)


@pytest.mark.parametrize("with_white_vertices", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_colours_of_faces_keep_their_borders(tmp_path: Path, kind: str, with_white_vertices: bool) -> None:
    """Each side has its colour at all of its corners; the box stays closed and its normals smooth."""
    columns = dict(XYZ)
    if with_white_vertices:  # which say nothing
        columns |= numbers(np.full((8, 3), 255), ("red", "green", "blue"), "uchar")
    tints = numbers(TINTS, ("red", "green", "blue"), "uchar")
    mesh = Mesh.load(write(tmp_path / "a.ply", kind, columns, SIDES, tints))
    order = [(0, -1.0), (0, 1.0), (1, -1.0), (1, 1.0), (2, -1.0), (2, 1.0)]
    assert colours_of_sides(mesh) == {
        side: {tuple(tint)} for side, tint in zip(order, TINTS.tolist(), strict=True)
    }
    assert len(mesh.vertices) == 24
    assert volume(mesh) == pytest.approx(0.12 * 0.08 * 0.05)
    assert len(np.unique(np.hstack([mesh.vertices, mesh.normals]).round(9), axis=0)) == 8
    assert mesh.remarks == ()


def test_colours_of_vertices_come_before_those_of_faces(tmp_path: Path) -> None:
    columns = XYZ | numbers(PAINT, ("red", "green", "blue"), "uchar")
    tints = numbers(TINTS, ("red", "green", "blue"), "uchar")
    mesh = Mesh.load(write(tmp_path / "a.ply", "ascii", columns, SIDES, tints))
    np.testing.assert_allclose(mesh.colours * 255, PAINT, atol=1e-4)


def test_texture_coordinates_of_corners_of_triangles_and_quads(tmp_path: Path) -> None:
    """Each side shows a texel of its own, of a texture of six."""
    cv2.imwrite(str(tmp_path / "six.png"), TINTS[None, :, ::-1].astype(np.uint8))
    side_of = [0, 1, 2, 3, 3, 4, 4, 5, 5]
    corners = [[(side + 0.5) / 6, 0.5] * len(f) for side, f in zip(side_of, MIXED, strict=True)]
    for kind in FORMATS:
        file = write(tmp_path / "a.ply", kind, XYZ, MIXED, None, ("TextureFile six.png",), corners)
        mesh = Mesh.load(file)
        assert mesh.texture is not None
        found = colours_of_sides(mesh)
        assert [found[0, -1.0], found[1, 1.0], found[2, 1.0]] == [
            {tuple(TINTS[i].tolist())} for i in (0, 3, 5)
        ]


@pytest.mark.parametrize(
    "name",
    ["paint.png", "PAINT.PNG", "C:\\Users\\me\\paint.png", "/home/me/scans/paint.png", "..\\maps/Paint.png"],
)
def test_textures_of_another_machine_lie_beside(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "paint.png"), np.full((4, 4, 3), (30, 20, 200), np.uint8))
    columns = XYZ | numbers(VERTICES[:, :2] / 100, ("s", "t"), "float")
    mesh = Mesh.load(write(tmp_path / "a.ply", "ascii", columns, SIDES, comments=(f"TextureFile {name}",)))
    np.testing.assert_allclose(mesh.colours * 255, np.tile((200, 20, 30), (len(mesh.colours), 1)), atol=0.01)


def test_latin_1_comments_and_textures(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "Würfel.png"), np.full((4, 4, 3), (30, 20, 200), np.uint8))
    columns = XYZ | numbers(VERTICES[:, :2] / 100, ("s", "t"), "float")
    comments = ("geprüft für Größe", "TextureFile Würfel.png")
    for kind in FORMATS:
        mesh = Mesh.load(write(tmp_path / "a.ply", kind, columns, SIDES, comments=comments))
        assert np.rint(mesh.colours[0] * 255).tolist() == [200, 20, 30]


def test_grey_is_said(tmp_path: Path) -> None:
    uv = numbers(VERTICES[:, :2] / 100, ("s", "t"), "float")
    for columns, words in (
        (XYZ, "neither colours nor a texture"),
        (XYZ | uv, "texture coordinates and no texture"),
        (XYZ | numbers(np.full((8, 3), 128), ("red", "green", "blue"), "uchar"), "in one grey, 128 of 255"),
    ):
        (remark,) = Mesh.load(write(tmp_path / "a.ply", "ascii", columns, SIDES)).remarks
        assert words in remark
    cv2.imwrite(str(tmp_path / "a.png"), np.full((4, 4, 3), (30, 20, 200), np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((4, 4, 3), (30, 20, 200), np.uint8))
    comments = ("TextureFile a.png", "TextureFile b.png")
    (remark,) = Mesh.load(write(tmp_path / "a.ply", "ascii", XYZ | uv, SIDES, comments=comments)).remarks
    assert "2 textures in a PLY file: only b.png is used" in remark


def test_corners_that_are_no_vertices_are_refused(tmp_path: Path) -> None:
    for kind in FORMATS:
        with pytest.raises(UserError, match=r"a\.ply: a face has a corner that is none of the 8 vertices"):
            Mesh.load(write(tmp_path / "a.ply", kind, XYZ, [*SIDES, [1, 2, 8]]))
