"""What happens exactly at the limits of a frame: one value on it, one just beyond it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.schema import ObjectModel, Record
from epropnp.errors import UserError
from pipelines.objects import LINEMOD
from pipelines.readers.frames import Frame, Occluder, frame_record, load_coordinates
from pipelines.readers.object_models import object_model
from pipelines.rendering.renderer import Renderer
from tests.pipelines.folders import SIZE
from tests.pipelines.sheets import K, at, sheet

CAT = LINEMOD["cat"]


@pytest.fixture(scope="module")
def model() -> ObjectModel:
    return object_model(
        CAT, sheet(0.15625, 0.078125), sheet(0.15625, 0.078125).vertices, 0.15, np.eye(4)[None]
    )


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    """20 x 10 pixels of a sheet one metre away: columns 14 to 33, rows 13 to 22."""
    cv2.imwrite(str(tmp_path / "rgb.png"), np.full((36, 48, 3), 77, np.uint8))
    sheet(0.15625, 0.078125).save(tmp_path / "same.ply", unit_m=1.0)
    sheet(0.0390625, 0.15625).save(tmp_path / "pole.ply", unit_m=1.0)  # 5 x 20 pixels at one metre
    return Frame(sample_id="x", K=K, T_cam_obj=at(0, 0, 1), image_file=tmp_path / "rgb.png", mask_file=None)


def record_of(frame: Frame, model: ObjectModel) -> Record:
    return frame_record(frame, Renderer(sheet(0.15625, 0.078125)), model)


def test_only_what_is_nearer_hides(frame: Frame, model: ObjectModel) -> None:
    """A pole of 5 columns at one metre is 10 wide at half of one; the sheet's own place hides nothing."""
    folder = frame.image_file.parent
    whole = record_of(frame, model)
    assert whole.box.tolist() == [14, 13, 20, 10]
    assert np.count_nonzero(whole.mask) == 200

    def hidden_by(*poses: tuple[str, np.ndarray]) -> int:
        others = tuple(Occluder(mesh_file=folder / name, unit_m=1.0, T_cam_obj=T) for name, T in poses)
        return 200 - int(np.count_nonzero(record_of(replace(frame, occluders=others), model).mask))

    assert hidden_by(("same.ply", at(0, 0, 1))) == 0
    assert hidden_by(("pole.ply", at(0, 0, 0.5))) == 100
    assert hidden_by(("pole.ply", at(0, 0, 1.5))) == 0
    assert hidden_by(("pole.ply", at(0, 0, 1 - 2**-10))) == 50
    # Two of them, of which one is behind, in either order: what is nearer counts at each pixel.
    beside = ("pole.ply", at(0.025, 0, 0.5))  # six and a bit columns further right
    behind = ("pole.ply", at(-0.05, 0, 1.5))
    assert hidden_by(beside, behind) == hidden_by(behind, beside) == hidden_by(beside) > 50


@pytest.mark.parametrize(("columns", "fits"), [(10, True), (11, False)])
def test_a_mask_must_lie_under_the_pose_for_a_tenth_at_least(
    frame: Frame, model: ObjectModel, columns: int, fits: bool
) -> None:
    """Of ten columns and as many rows, one column of the sheet's, which is a tenth; of eleven, less."""
    mask = np.zeros((36, 48), np.uint8)
    mask[13:23, 15 - columns : 15] = 1  # any value but 0 is the object
    file = frame.image_file.with_name("mask.png")
    cv2.imwrite(str(file), mask)
    masked = replace(frame, mask_file=file)
    if fits:
        found = record_of(masked, model)
        assert found.box.tolist() == [5, 13, 10, 10]
        assert np.count_nonzero(found.mask) == 10
        return
    with pytest.raises(UserError, match="does not lie where the pose puts cat"):
        record_of(masked, model)


def test_an_object_that_touches_the_cameras_plane_is_refused(model: ObjectModel, frame: Frame) -> None:
    """A quarter turn about the upright puts the sheet's right half behind z, by 5/64 m."""
    turned = np.array([[0.0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    for z, refused in ((0.078125, True), (0.25, False)):
        turned[:3, 3] = 0.02, 0, z
        moved = replace(frame, T_cam_obj=turned.copy())
        if refused:
            with pytest.raises(UserError, match="behind the camera, or through it"):
                record_of(moved, model)
        else:
            assert record_of(moved, model).object_id == 6


@pytest.mark.parametrize(
    ("left", "shift", "accepted"),
    [(0, 0, True), (40, 0, True), (41, 0, False), (-1, 0, False), (8, 2, True), (8, 3, False)],
)
def test_a_given_coordinate_map_lies_in_the_picture_and_within_two_pixels_of_its_pose(
    left: int, shift: int, accepted: bool, monkeypatch: pytest.MonkeyPatch, frame: Frame
) -> None:
    """Eight columns from `left` on, whose points project `shift` pixels further right."""
    x, y = np.meshgrid(np.arange(left, left + 8) + shift - 24, np.arange(5) + 8 - 16)
    coords = np.stack([x / 128, y / 128, np.full(x.shape, 2.0**-20)], -1)
    table = {"coor": coords, "l": left, "u": 8}
    monkeypatch.setattr("pipelines.readers.frames.read_pickle", lambda _: table)
    camera = np.array([[128.0, 0, 24], [0, 128, 16], [0, 0, 1]])
    given = replace(frame, K=camera, coords_file=Path("x.pkl"), T_cam_obj=at(0, 0, 1 - 2.0**-20))
    if accepted:
        assert load_coordinates(given, SIZE).origin == (left, 8)
        return
    with pytest.raises(UserError, match="does not lie where pose and camera put the object"):
        load_coordinates(given, SIZE)
