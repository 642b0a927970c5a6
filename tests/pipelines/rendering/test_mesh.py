"""Mesh files: vertex colours, textures, materials, and what is said of broken ones."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.rendering.camera_views import LINEMOD_K
from pipelines.rendering.mesh import Mesh, mesh_files
from pipelines.rendering.renderer import Renderer
from pipelines.rendering.shading import Look, sample_look
from pipelines.rendering.texture import Texture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
QUAD = "v -50 -50 0\nv 50 -50 0\nv 50 50 0\nv -50 50 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACES = "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"
TEXTURED_PLY = """ply
format ascii 1.0
comment TextureFile paint.png
element vertex 4
property float x
property float y
property float z
property float texture_u
property float texture_v
element face 2
property list uchar int vertex_indices
end_header
-50 -50 0 0 0
50 -50 0 1 0
50 50 0 1 1
-50 50 0 0 1
3 0 1 2
3 0 2 3
"""
# The object's z axis looks away from the camera, its y axis up in the image.
FACING = np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 0.5], [0, 0, 0, 1]])


@pytest.fixture
def painted(tmp_path: Path) -> Path:
    """A folder with a texture of four colours, an OBJ file and a PLY file that wear it."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32], pixels[:32, 32:], pixels[32:, :32], pixels[32:, 32:] = RED, GREEN, BLUE, WHITE
    cv2.imwrite(str(tmp_path / "paint.png"), pixels[..., ::-1])
    (tmp_path / "quad.mtl").write_text("newmtl m\nKd 1 1 1\nmap_Kd paint.png\n")
    (tmp_path / "quad.obj").write_text(f"mtllib quad.mtl\n{QUAD}usemtl m\n{FACES}")
    (tmp_path / "quad.ply").write_text(TEXTURED_PLY)
    return tmp_path


@pytest.fixture
def flat_light() -> Look:
    """Even white light without gloss: what is seen is the albedo."""
    drawn = sample_look(np.random.default_rng(0))
    return replace(
        drawn,
        light_directions=np.array([[0, 0, -1]], np.float32),
        light_colours=np.zeros((1, 3), np.float32),
        ambient_sky=np.ones(3, np.float32),
        ambient_ground=np.ones(3, np.float32),
        specular=0.0,
        albedo_gain=np.ones(3, np.float32),
    )


@pytest.mark.parametrize("name", ["quad.obj", "quad.ply"])
def test_texture_is_where_it_belongs(painted: Path, flat_light: Look, name: str) -> None:
    mesh = Mesh.load(painted / name)
    np.testing.assert_allclose(mesh.bounds_max, (0.05, 0.05, 0))
    view = Renderer(mesh).view(FACING, LINEMOD_K, (0, 0, 640, 480), flat_light)
    height, width = view.alpha.shape
    seen = {
        place: np.rint(255 * view.rgb[y, x]).astype(int).tolist()
        for place, y, x in (
            ("upper left", height // 4, width // 4),
            ("upper right", height // 4, 3 * width // 4),
            ("lower left", 3 * height // 4, width // 4),
            ("lower right", 3 * height // 4, 3 * width // 4),
        )
    }
    expected = (RED, GREEN, BLUE, WHITE)
    assert seen == {place: list(colour) for place, colour in zip(seen, expected, strict=True)}


def test_several_materials_keep_their_colours(painted: Path, flat_light: Look) -> None:
    """A textured half and one of a plain colour; the loader packs both into one picture."""
    (painted / "two.mtl").write_text("newmtl a\nmap_Kd paint.png\nnewmtl b\nKd 1.0 0.5 0.0\n")
    text = f"mtllib two.mtl\n{QUAD}usemtl a\n{FACES}v 150 -50 0\nv 150 50 0\nusemtl b\nf 2 5 6\nf 2 6 3\n"
    (painted / "two.obj").write_text(text)
    view = Renderer(Mesh.load(painted / "two.obj")).view(FACING, LINEMOD_K, (0, 0, 640, 480), flat_light)
    height, width = view.alpha.shape
    plain = view.rgb[height // 2, 3 * width // 4] ** (1 / 2.2)
    np.testing.assert_allclose(plain, (1.0, 0.5, 0.0), atol=0.02)
    np.testing.assert_allclose(view.rgb[height // 4, width // 8], (1, 0, 0), atol=0.02)


def test_vertex_colours_survive_a_round_trip(cat_mesh: Mesh, tmp_path: Path) -> None:
    cat_mesh.save(tmp_path / "cat.ply")
    again = Mesh.load(tmp_path / "cat.ply")
    np.testing.assert_allclose(again.vertices, cat_mesh.vertices, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(again.faces, cat_mesh.faces)
    np.testing.assert_allclose(again.colours, cat_mesh.colours, atol=0.5 / 255 + 1e-6)
    np.testing.assert_allclose(again.normals, cat_mesh.normals, atol=1e-9)
    assert again.texture is None
    assert again.digest() == Mesh.load(tmp_path / "cat.ply").digest() != cat_mesh.digest()


def test_colours_without_texture(tmp_path: Path) -> None:
    vertices = "v 0 0 0 1 0 0\nv 1 0 0 0 1 0\nv 0 1 0 0 0 1\nf 1 2 3\n"
    (tmp_path / "vertices.obj").write_text(vertices)
    np.testing.assert_array_equal(Mesh.load(tmp_path / "vertices.obj").colours, np.eye(3))
    bare = "v 0 0 0\nv 1 0 0\nv 0 1 0\n"
    (tmp_path / "plain.mtl").write_text("newmtl m\nKd 0.2 0.4 0.6\n")
    (tmp_path / "plain.obj").write_text(f"mtllib plain.mtl\nusemtl m\n{bare}f 1 2 3\n")
    np.testing.assert_allclose(Mesh.load(tmp_path / "plain.obj").colours, [[0.2, 0.4, 0.6]] * 3, atol=1e-6)
    (tmp_path / "grey.obj").write_text(f"{bare}f 1 2 3\n")
    assert np.unique(Mesh.load(tmp_path / "grey.obj").colours).size == 1


def test_seams_of_a_texture_do_not_crease(painted: Path) -> None:
    """Two triangles at an angle whose common edge has two sets of texture coordinates."""
    text = "mtllib quad.mtl\nusemtl m\nv 0 0 0\nv 0 1 0\nv 1 0 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\nvt 1 1\n"
    (painted / "bent.obj").write_text(text + "f 1/1 3/2 2/3\nf 1/4 2/2 4/1\n")
    mesh = Mesh.load(painted / "bent.obj")
    assert len(mesh.vertices) == 6
    for corner in ((0, 0, 0), (0, 0.001, 0)):
        pair = mesh.normals[np.all(np.isclose(mesh.vertices, corner), axis=1)]
        assert len(pair) == 2
        np.testing.assert_allclose(pair[0], pair[1])


def test_distant_texture_is_averaged() -> None:
    """A checkerboard finer than the samples turns grey in linear light; close by it keeps its squares."""
    board = np.indices((256, 256)).sum(axis=0) % 2 * 255
    texture = Texture(np.repeat(board[..., None], 3, axis=2).astype(np.uint8))
    uv = np.random.default_rng(0).random((500, 2), np.float32)
    np.testing.assert_allclose(texture.linear(uv, 16.0), 0.5, atol=0.01)
    assert texture.linear(uv).std() > 0.1
    centres = (np.arange(256, dtype=np.float32)[:, None] + 0.5) / 256
    across = texture.linear(np.concatenate([centres, np.full_like(centres, 1 - 0.5 / 256)], axis=1))
    np.testing.assert_allclose(across[:, 0], board[0] / 255, atol=1e-4)
    np.testing.assert_allclose(texture.linear(uv + 3), texture.linear(uv), atol=2e-3)  # it repeats


def test_files_of_a_mesh_are_listed(painted: Path) -> None:
    assert [file.name for file in mesh_files(painted / "quad.obj")] == ["quad.obj", "quad.mtl", "paint.png"]
    assert [file.name for file in mesh_files(painted / "quad.ply")] == ["quad.ply", "paint.png"]


@pytest.mark.parametrize("name", ["quad.obj", "quad.ply"])
def test_missing_texture_is_named(painted: Path, name: str) -> None:
    (painted / "paint.png").unlink()
    with pytest.raises(UserError, match=r"names 'paint\.png', which is not beside it"):
        Mesh.load(painted / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.stl", b"solid", "must end in .ply or .obj"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n", "a.ply"),
        ("a.ply", b"\x00\xff\x13nonsense", "a.ply"),
        ("a.obj", b"v 0 0 0\n", "a.obj"),
        ("a.obj", b"v 0 0 0\nv 1 nan 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("a.obj", b"v 0 0\nv 1 0\nv 0 1\nf 1 2 3\n", "vertices that are not three numbers"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "a.obj"),
        ("a.obj", b"mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "gone.mtl"),
    ],
)
def test_broken_files_are_explained(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words):
        Mesh.load(tmp_path / name)
    with pytest.raises(UserError, match="no mesh at"):
        Mesh.load(tmp_path / "nowhere.ply")
