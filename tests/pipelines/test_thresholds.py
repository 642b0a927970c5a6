"""What happens exactly at a limit, in the data's pipelines: one value on it, one just beyond it.

Numbers are chosen so that floating point holds them exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.schema import ObjectModel, Record
from epropnp.data.writer import write_records
from epropnp.errors import UserError
from pipelines import occluders as occluders_module
from pipelines.bop import BopFolder
from pipelines.camera_views import sample_view
from pipelines.frames import Frame, Occluder, frame_record, load_coordinates
from pipelines.mesh import Mesh
from pipelines.object_models import half_turns, object_model
from pipelines.objects import LINEMOD, identify
from pipelines.occluders import place_occluder
from pipelines.render import ObjectMaps, Renderer
from tests.data.sets import make_model, make_record
from tests.pipelines.folders import SIZE, bop_files, write_files
from tests.pipelines.test_bop import edit

K = np.array([[128.0, 0, 23.75], [0, 128.0, 17.75], [0, 0, 1]])  # no edge below falls on a pixel's centre
CAT = LINEMOD["cat"]


def sheet(width_m: float, height_m: float) -> Mesh:
    """A rectangle across the optical axis, seen from the camera."""
    x, y = width_m / 2, height_m / 2
    corners = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], np.float64)
    faces = np.array([[0, 2, 1], [0, 3, 2]], np.int32)
    return Mesh(corners, faces, np.full((4, 3), 0.5, np.float32), np.tile([0.0, 0.0, -1.0], (4, 1)))


def at(x: float, y: float, z: float) -> np.ndarray:
    T_cam_obj = np.eye(4)
    T_cam_obj[:3, 3] = x, y, z
    return T_cam_obj


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
        return 200 - np.count_nonzero(record_of(replace(frame, occluders=others), model).mask)

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
    monkeypatch.setattr("pipelines.frames.read_pickle", lambda _: table)
    camera = np.array([[128.0, 0, 24], [0, 128, 16], [0, 0, 1]])
    given = replace(frame, K=camera, coords_file=Path("x.pkl"), T_cam_obj=at(0, 0, 1 - 2.0**-20))
    if accepted:
        assert load_coordinates(given, SIZE).origin == (left, 8)
        return
    with pytest.raises(UserError, match="does not lie where pose and camera put the object"):
        load_coordinates(given, SIZE)


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


@pytest.mark.parametrize(("factor", "known"), [(1.0, True), (1.009, True), (0.991, True), (1.011, False)])
def test_an_object_is_linemods_within_a_hundredth_of_its_diameter(factor: float, known: bool) -> None:
    found = identify(6, CAT.diameter_m * factor, symmetric=True)
    assert (found is CAT) == known
    if not known:
        assert (found.name, found.symmetric, found.diameter_m) == (
            "obj_000006",
            True,
            CAT.diameter_m * factor,
        )
    assert identify(5, CAT.diameter_m, symmetric=False).name == "obj_000005"


@pytest.mark.parametrize(("diagonal", "fits"), [(0.9, True), (0.89, False), (2.0, True), (2.01, False)])
def test_the_boxs_diagonal_is_a_diameter_to_two(diagonal: float, fits: bool) -> None:
    mesh = sheet(diagonal, 0.0)
    if fits:
        assert object_model(CAT, mesh, mesh.vertices, 1.0, half_turns(CAT)).diameter_m == 1.0
        return
    with pytest.raises(UserError, match="check the units of both"):
        object_model(CAT, mesh, mesh.vertices, 1.0, half_turns(CAT))


def test_coordinates_are_scaled_by_the_bounds_unless_these_are_a_tenth_of_the_extent() -> None:
    """|min| 1 of an extent of 10 is the extent's tenth: the extent. 1.25 is more."""
    low, high = np.array([-1.0, -1.25, 4.0]), np.array([9.0, 8.75, 5.0])
    scaled = replace(make_model(), bounds_min=low, bounds_max=high)
    assert scaled.coord_scale.tolist() == [10, 1.25, 4]
    assert scaled.extent.tolist() == [10, 10, 1]


@pytest.mark.parametrize(("x", "written"), [(0, True), (28, True), (29, False), (-1, False)])
def test_a_map_may_touch_the_crops_edges(x: int, written: bool, tmp_path: Path) -> None:
    """Twelve columns in a crop of forty."""
    record = replace(
        make_record(0, 40), mask=np.zeros((10, 12), np.uint8), coords=np.zeros((10, 12, 3), np.uint16)
    )
    for axis in (0, 1):
        origin = record.crop_origin.copy()
        origin[axis] += x + (2 * axis if x > 0 else 0)  # ten rows
        moved = replace(record, map_origin=origin)
        if written:
            assert write_records(tmp_path / "a", [moved]) == 1
            continue
        with pytest.raises(ValueError, match="map_origin"):
            write_records(tmp_path / "a", [moved])


@pytest.mark.parametrize(("cover", "taken"), [(0.02, True), (0.01, False), (0.4, True), (0.41, False)])
def test_an_occluder_hides_two_to_forty_percent(
    cover: float, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred tested pixels, so many; up to twenty places are tried."""
    tried = []

    def covers(self: Renderer, pixels: np.ndarray, T: np.ndarray, camera: np.ndarray) -> np.ndarray:
        tried.append(len(pixels))
        return np.arange(len(pixels)) < round(cover * len(pixels))

    monkeypatch.setattr(Renderer, "covers", covers)
    assert (occluders_module.COVER_MIN, occluders_module.COVER_MAX) == (0.02, 0.4)
    maps = ObjectMaps(origin=(10, 10), mask=np.ones((10, 10), bool), coords=np.zeros((10, 10, 3)))
    thing = Renderer(sheet(0.05, 0.05))
    found = place_occluder(np.random.default_rng(0), thing, sheet(0.1, 0.1).vertices, at(0, 0, 1), K, maps)
    assert (found is not None) == taken
    assert tried == [100] * (1 if taken else 20)


def test_a_view_may_touch_the_border_of_two_pixels_and_is_placed_anew_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The projected hull must lie from 2 to 637 and from 2 to 477, these included."""
    cases = [((2.0, 2.0, 637.0, 477.0), True)]
    cases += [((1.9, 2.0, 637.0, 477.0), False), ((2.0, 2.0, 637.1, 477.0), False)]
    cases += [((2.0, 1.9, 637.0, 477.0), False), ((2.0, 2.0, 637.0, 477.1), False)]
    for outermost, accepted in cases:
        left, top, right, bottom = outermost
        pixels = np.array([[left, top], [right, bottom]])
        calls = []
        monkeypatch.setattr(
            "pipelines.camera_views.project", lambda *_, found=pixels, seen=calls: seen.append(1) or found
        )
        sample_view(np.random.default_rng(0), sheet(0.1, 0.1).vertices)
        assert len(calls) == (1 if accepted else 1000)
