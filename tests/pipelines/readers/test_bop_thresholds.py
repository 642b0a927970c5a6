"""What happens exactly at the limits of the BOP reader: one value on it, one just beyond it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from epropnp.errors import UserError
from pipelines.readers.bop import BopFolder
from tests.pipelines.folders import bop_files, write_files
from tests.pipelines.readers.test_bop import edit


@pytest.mark.parametrize(("share", "kept"), [(0.1, True), (0.0999, False), (0.0, False)])
def test_an_object_is_left_out_when_less_than_a_tenth_is_seen(
    tmp_path: Path, share: float, kept: bool
) -> None:
    root = write_files(bop_files(), tmp_path)
    edit(root / "test" / "000002" / "scene_gt_info.json", lambda t: t["0"][1].update(visib_fract=share))
    folder = BopFolder(root)
    frames = folder.frames(folder.objects()["obj_000007"]).by_split["test"]
    assert [frame.sample_id[-13:] for frame in frames] == ["000000_000001", "000001_000001"][not kept :]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t["0"][0].update(cam_t_m2c=[0, 0, 0]), "behind the camera"),
        (lambda t: t["0"][0].update(cam_t_m2c=[0, 0, 0.001]), None),
        (lambda t: t["0"][0].update(cam_t_m2c=[1e6, -1e6, 1e6]), None),
        (lambda t: t["0"][0].update(cam_t_m2c=[1000001, 0, 1]), "needs 3 numbers"),
        (lambda t: t["0"][0].update(cam_R_m2c=[1.0625, 0, 0, 0, 1, 0, 0, 0, 1]), "no rotation"),
        (lambda t: t["0"][0].update(cam_R_m2c=[1.004, 0, 0, 0, 1, 0, 0, 0, 1]), None),
        (lambda t: t["0"][0].update(cam_R_m2c=[1, 0, 0, 0, 1, 0, 0, 0, -1]), "no rotation"),
    ],
)
def test_poses_are_in_front_and_rotations_but_for_rounding(
    tmp_path: Path, change: Callable[[dict[str, list[dict[str, object]]]], None], words: str | None
) -> None:
    root = write_files(bop_files(), tmp_path)
    edit(root / "test" / "000002" / "scene_gt.json", change)
    folder = BopFolder(root)
    info = folder.objects()["obj_000001"]
    if words is None:
        assert folder.frames(info).by_split["test"]
        return
    with pytest.raises(UserError, match=words):
        folder.frames(info)
