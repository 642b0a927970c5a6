"""Reading a BOP scene's tables: what is found, and errors that say where."""

from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.readers.bop_files import Scene
from tests.pipelines.folders import bop_files, write_files


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_files(bop_files(), tmp_path) / "test" / "000002"


def test_scene_gives_instances_cameras_and_files(scene: Path) -> None:
    found = Scene(scene)
    assert found.name == "test/000002"
    assert (found.images_of(7), found.images_of(8), found.unannotated()) == ([0, 1], [], 0)
    assert [(one.number, one.object_id) for one in found.instances(0)] == [(0, 1), (1, 7), (2, 1)]
    assert found.camera(0)[0].tolist() == [60.0, 0.0, 23.2]
    assert found.picture(0) == scene / "rgb" / "000000.png"
    assert found.picture(2) is None
    assert found.mask(0, 2) == scene / "mask_visib" / "000000_000002.png"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not JSON"),
        (b"\xff", "is not a text file"),
        (b"[]", "is not a table of images"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"x": []}', "has an image id that is no integer"),
        (b'{"0": {}, "1": []}', "image 0 needs a list of poses"),
        (b'{"0": [{"obj_id": true}]}', "image 0 needs an integer under 'obj_id', not True"),
        (b'{"0": [{"obj_id": "1"}]}', "image 0 needs an integer under 'obj_id', not '1'"),
    ],
)
def test_broken_tables_are_named(scene: Path, content: bytes, words: str) -> None:
    (scene / "scene_gt.json").write_bytes(content)
    with pytest.raises(UserError, match=words) as raised:
        Scene(scene).images_of(1)
    assert str(scene / "scene_gt.json") in str(raised.value)
