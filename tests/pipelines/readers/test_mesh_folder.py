"""Meshes alone: their names, diameters and units."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from pipelines.readers.mesh_folder import MeshFolder


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    trimesh.creation.box((30.0, 40.0, 120.0)).export(tmp_path / "part.ply")
    trimesh.creation.icosphere(3, 50.0).export(tmp_path / "ball.obj")
    (tmp_path / "notes.txt").write_text("not a mesh")
    return tmp_path


def test_objects_are_called_as_their_files_and_are_as_large_as_their_meshes(parts: Path) -> None:
    found = MeshFolder(parts, 0.001).objects()
    assert [(info.object_id, name) for name, info in found.items()] == [(1, "ball"), (2, "part")]
    assert found["part"].diameter_m == pytest.approx(0.130)  # 30, 40, 120: corner to corner
    assert found["ball"].diameter_m == pytest.approx(0.100, rel=1e-3)


def test_a_file_is_a_folder_of_one(parts: Path) -> None:
    folder = MeshFolder(parts / "part.ply", 1.0)
    assert MeshFolder.is_at(parts / "part.ply")
    info = folder.objects()["part"]
    assert info.diameter_m == pytest.approx(130.0)
    model = folder.model(info)
    np.testing.assert_allclose(model.bounds_max, (15, 20, 60))
    assert (model.symmetric, len(model.symmetries)) == (False, 1)
    assert folder.frames(info).by_split == {}
    assert folder.root == parts


def test_what_has_no_mesh_is_none(tmp_path: Path) -> None:
    assert not MeshFolder.is_at(tmp_path)
    assert not MeshFolder.is_at(tmp_path / "missing")
