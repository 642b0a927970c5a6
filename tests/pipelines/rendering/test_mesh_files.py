"""Where the files lie that others name."""

from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.rendering.mesh_files import mesh_files, named_file


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("maps/a.png", "maps/a.png"),
        ("maps\\a.png", "maps/a.png"),
        ('"b c.png"', "b c.png"),
        ("C:\\maps\\b c.png", "b c.png"),
        ("/nowhere/B C.PNG", "b c.png"),
        ("../models/b c.png", "b c.png"),
    ],
)
def test_a_name_is_taken_as_it_stands_then_as_that_of_a_file_beside(
    tmp_path: Path, name: str, found: str
) -> None:
    (tmp_path / "maps").mkdir()
    for place in ("maps/a.png", "b c.png"):
        (tmp_path / place).touch()
    assert named_file(tmp_path / "mesh.ply", name) == tmp_path / found


@pytest.mark.parametrize("name", ["c.png", "C:\\maps\\a.png", "maps"])
def test_what_lies_elsewhere_is_not_looked_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "a.png").touch()
    with pytest.raises(UserError, match=r"mesh\.ply names '.*', which is not beside it"):
        named_file(tmp_path / "mesh.ply", name)


def test_all_files_of_a_mesh_are_listed_once(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "plain.mtl"):
        (tmp_path / name).touch()
    (tmp_path / "two.mtl").write_text("newmtl m\nmap_Kd /x/A.png\nnewmtl n\nmap_Kd -o 1 1 1 b.png\n")
    (tmp_path / "a.obj").write_text("mtllib two.mtl plain.mtl\nv 0 0 0\nmtllib two.mtl\n")
    names = [file.name for file in mesh_files(tmp_path / "a.obj")]
    assert names == ["a.obj", "two.mtl", "a.png", "b.png", "plain.mtl"]
