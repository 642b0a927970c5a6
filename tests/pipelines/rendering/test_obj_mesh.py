"""OBJ files as exporters write them: colours beside coordinates, materials and names of other machines."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.rendering.mesh import Mesh

PLACES = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"
COLOURED = "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 1 1 0 0 0 1\nv 0 1 0 0.2 0.4 0.6\n"
COLOURS: list[list[float]] = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.4, 0.6]]
UV = "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
RED = (200, 20, 30)


def picture(file: Path) -> None:
    cv2.imwrite(str(file), np.full((4, 4, 3), RED[::-1], np.uint8))


def assert_red(mesh: Mesh) -> None:
    np.testing.assert_allclose(mesh.colours * 255, np.tile(RED, (len(mesh.colours), 1)), atol=0.01)
    assert mesh.texture is not None


def assert_painted(mesh: Mesh) -> None:
    """Each of the four places has its colour."""
    for place, colour in zip([[0, 0], [1, 0], [1, 1], [0, 1]], COLOURS, strict=True):
        at = np.isclose(mesh.vertices[:, :2] * 1000, place).all(axis=1)
        assert at.any()
        np.testing.assert_allclose(mesh.colours[at], np.tile(colour, (at.sum(), 1)), atol=1e-6)
    assert mesh.remarks == ()


@pytest.mark.parametrize("faces", [FACES, "f 1/1 2/2 3/3 4/4\n", "f 1/1/1 2/2/1 3/3/1\nf 1//1 3//1 4//1\n"])
@pytest.mark.parametrize("scale", [1, 255])
def test_colours_beside_coordinates_are_kept_where_there_is_no_texture(
    tmp_path: Path, faces: str, scale: int
) -> None:
    """With texture coordinates, and with a material of one colour besides, as MeshLab writes them."""
    lines = [line.split() for line in COLOURED.splitlines()]
    vertices = "".join(
        " ".join([*words[:4], *(f"{float(word) * scale:g}" for word in words[4:])]) + "\n" for words in lines
    )
    (tmp_path / "a.obj").write_text(f"{vertices}{UV}vn 0 0 1\n{faces}")
    assert_painted(Mesh.load(tmp_path / "a.obj"))
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 0.8 0.8 0.8\n")
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{vertices}{UV}vn 0 0 1\nusemtl m\n{faces}")
    assert_painted(Mesh.load(tmp_path / "a.obj"))


def test_white_vertices_do_not_hide_a_material(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl m\nKd 0.2 0.4 0.6\n")
    vertices = "".join(f"{line} 1 1 1\n" for line in PLACES.splitlines())
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{vertices}usemtl m\nf 1 2 3 4\n")
    mesh = Mesh.load(tmp_path / "a.obj")
    np.testing.assert_allclose(mesh.colours, [[0.2, 0.4, 0.6]] * len(mesh.colours), atol=1e-6)


def test_a_texture_comes_before_colours_at_vertices(tmp_path: Path) -> None:
    picture(tmp_path / "paint.png")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd paint.png\n")
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{COLOURED}{UV}usemtl m\n{FACES}")
    assert_red(Mesh.load(tmp_path / "a.obj"))


@pytest.mark.parametrize(
    "name", ["C:\\me\\Paint.PNG", "/home/me/paint.png", "..\\x\\paint.png", "-s 1 1 1 paint.png"]
)
def test_materials_and_textures_of_another_machine_lie_beside(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "paint.png")
    (tmp_path / "a.mtl").write_text(f"newmtl m\n map_kd {name}\n")
    (tmp_path / "a.obj").write_text(f"mtllib D:\\scans\\A.MTL\n{PLACES}{UV}usemtl m\n{FACES}")
    assert_red(Mesh.load(tmp_path / "a.obj"))


def test_textures_above_and_beside_their_materials(tmp_path: Path) -> None:
    for folder in ("objects", "objects/mats", "maps"):
        (tmp_path / folder).mkdir()
    picture(tmp_path / "maps" / "paint.png")
    picture(tmp_path / "objects" / "mats" / "near.png")
    for name in ("../../maps/paint.png", "near.png"):
        (tmp_path / "objects" / "mats" / "a.mtl").write_text(f"newmtl m\nmap_Kd {name}\n")
        (tmp_path / "objects" / "a.obj").write_text(f"mtllib mats/a.mtl\n{PLACES}{UV}usemtl m\n{FACES}")
        assert_red(Mesh.load(tmp_path / "objects" / "a.obj"))


@pytest.mark.parametrize("line", ["mtllib a.mtl b.mtl\n", "mtllib a.mtl\nmtllib b.mtl\n"])
def test_several_material_files(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.mtl").write_text("newmtl other\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("newmtl m\nKd 0.2 0.4 0.6\n")
    (tmp_path / "a.obj").write_text(f"{line}{PLACES}usemtl m\nf 1 2 3 4\n")
    mesh = Mesh.load(tmp_path / "a.obj")
    np.testing.assert_allclose(mesh.colours, [[0.2, 0.4, 0.6]] * len(mesh.colours), atol=1e-6)


def test_latin_1_names_and_comments(tmp_path: Path) -> None:
    picture(tmp_path / "Würfel.png")
    (tmp_path / "Größe.mtl").write_bytes("# geprüft\nnewmtl m\nmap_Kd Würfel.png\n".encode("latin-1"))
    text = f"# geprüft\nmtllib Größe.mtl\n{PLACES}{UV}usemtl m\n{FACES}"
    for encoding in ("latin-1", "utf-8"):
        (tmp_path / "a.obj").write_bytes(text.encode(encoding))
        assert_red(Mesh.load(tmp_path / "a.obj"))


def test_grey_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.mtl").write_text("newmtl m\nKs 1 1 1\nnewmtl painted\nKd 1 0 0\n")
    for text, words in (
        (f"{PLACES}f 1 2 3 4\n", "neither colours nor a texture"),
        (f"{PLACES}{UV}{FACES}", "neither colours nor a texture"),
        (f"mtllib a.mtl\n{PLACES}usemtl m\nf 1 2 3 4\n", "material without a colour, m: rendered grey"),
        (f"{PLACES}usemtl lost\nf 1 2 3 4\n", "material without a colour, lost: rendered grey"),
        (f"mtllib a.mtl\n{PLACES}f 1 2 3 4\n", "neither colours nor a texture"),
    ):
        (tmp_path / "a.obj").write_text(text)
        (remark,) = Mesh.load(tmp_path / "a.obj").remarks
        assert words in remark
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{PLACES}usemtl painted\nf 1 2 3 4\n")
    assert Mesh.load(tmp_path / "a.obj").remarks == ()


def test_a_broken_texture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "paint.png").write_bytes(b"nonsense")
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd paint.png\n")
    (tmp_path / "a.obj").write_text(f"mtllib a.mtl\n{PLACES}{UV}usemtl m\n{FACES}")
    with pytest.raises(UserError, match=r"cannot read the texture .*paint\.png"):
        Mesh.load(tmp_path / "a.obj")
