"""The BOP reader: what it reads, what it leaves out, and what it says about broken folders."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.data.schema import dequantise
from epropnp.errors import UserError
from pipelines.objects import LINEMOD
from pipelines.readers.bop import BopFolder
from pipelines.readers.frames import frame_record, load_mask
from pipelines.rendering.camera_views import LINEMOD_K, project
from pipelines.rendering.renderer import Renderer
from tests.pictures import picture_in
from tests.pipelines.folders import BOP_SCENES, bop_files, write_files

CAT = LINEMOD["cat"]
SIZE = (640, 480)
# A point of the picture has coordinates half a unit larger in the convention of BOP's renderers, whose
# pixel centres are at half-integers.
BOP_MASKS = np.array([[0, 0, -0.5], [0, 0, -0.5], [0, 0, 0]])


def edit(file: Path, change: Callable[[Any], Any]) -> None:
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_files(bop_files(), tmp_path / "tiny")


def test_frames_have_metres_and_their_own_camera(bop_dir: Path) -> None:
    found = BopFolder(bop_dir).frames(CAT)
    frames = found.by_split["test"]
    assert [frame.sample_id for frame in frames] == [
        "bop/test/000006/000001_000001",  # the second instance of each picture
        "bop/test/000006/000003_000001",
    ]
    assert found.notes == {"test pictures not on disk": 1}
    assert [frame.K[0, 2] - LINEMOD_K[0, 2] for frame in frames] == [1.0, 3.0]
    assert 0.5 < np.linalg.norm(frames[0].T_cam_obj[:3, 3]) < 1.2
    assert frames[0].mask_file is not None
    assert frames[0].mask_file.name == "000001_000001.png"


def test_record_of_a_frame_coincides_with_mask_and_picture(bop_dir: Path) -> None:
    data = BopFolder(bop_dir)
    model, renderer = data.model(CAT), Renderer(data.mesh(CAT))
    frame = data.frames(CAT).by_split["test"][0]
    record = frame_record(frame, renderer, model)
    picture = picture_in(frame.image_file)[..., ::-1]
    given = load_mask(frame, SIZE)
    x, y = record.map_origin
    height, width = record.mask.shape
    np.testing.assert_array_equal(record.mask > 0, given[y : y + height, x : x + width])
    assert given.sum() == (record.mask > 0).sum()
    dx, dy = record.map_origin - record.crop_origin
    np.testing.assert_array_equal(
        record.rgb[dy : dy + height, dx : dx + width], picture[y : y + height, x : x + width]
    )
    rows, columns = np.nonzero(record.mask)
    points = dequantise(record.coords[rows, columns], model).astype(np.float64)
    pixels = np.stack([columns, rows], axis=1) + record.map_origin
    assert np.abs(project(points, record.T_cam_obj, record.K) - pixels).max() < 0.02
    assert (record.synthetic, record.detected_box) == (False, None)


def test_mask_of_a_record_is_the_agreement_with_the_given_mask(bop_dir: Path) -> None:
    data = BopFolder(bop_dir)
    frame = data.frames(CAT).by_split["test"][0]
    assert frame.mask_file is not None
    given = picture_in(frame.mask_file, cv2.IMREAD_GRAYSCALE)
    columns = np.nonzero(given.any(axis=0))[0]
    middle = int(columns.mean())
    given[:, :middle] = 0  # the left half is occluded ...
    given[:20, -20:] = 255  # ... and something far away is claimed to be visible
    cv2.imwrite(str(frame.mask_file), given)
    record = frame_record(frame, Renderer(data.mesh(CAT)), data.model(CAT))
    assert record.box[0] == middle
    assert record.box[0] + record.box[2] == given.shape[1]
    x, y = record.map_origin
    height, width = record.mask.shape
    window = given[y : y + height, x : x + width]
    assert np.all(window[record.mask > 0] == 255)
    assert not record.mask[:20, -20:].any()


def test_every_visible_instance_becomes_a_frame(tiny: Path) -> None:
    data = BopFolder(tiny)
    found = data.frames(data.objects()["obj_000001"])
    for split, scene in (("train", "train_real/000001"), ("test", "test/000002")):
        ids = [f"bop/{scene}/{i:06d}_{n:06d}" for i in range(BOP_SCENES[scene]) for n in (0, 2)]
        assert [frame.sample_id for frame in found.by_split[split]] == ids
    assert found.by_split["validation"] == ()
    assert found.notes == {}


def test_hidden_instances_are_left_out_and_counted(tiny: Path) -> None:
    file = tiny / "test" / "000002" / "scene_gt_info.json"
    edit(file, lambda t: t["1"][2].update(visib_fract=0.09))
    data = BopFolder(tiny)
    found = data.frames(data.objects()["obj_000001"])
    assert [frame.sample_id[-13:] for frame in found.by_split["test"]] == [
        "000000_000000",
        "000000_000002",
        "000001_000000",
    ]
    assert found.notes == {"test pictures with the object hidden": 1}


def test_masks_that_are_not_given_are_rendered_with_what_hides_the_object(tiny: Path) -> None:
    data = BopFolder(tiny)
    records = {}
    for given in (True, False):
        if not given:
            for file in (tiny / "test" / "000002" / "mask_visib").iterdir():
                file.unlink()
            (tiny / "test" / "000002" / "mask_visib").rmdir()
        for info in data.objects().values():
            found, renderer, model = data.frames(info), Renderer(data.mesh(info)), data.model(info)
            for frame in found.by_split["test"]:
                records[given, frame.sample_id] = frame_record(frame, renderer, model)
            count = len(found.by_split["test"])
            assert found.notes == ({} if given else {"test masks not given: rendered": count})
    assert len(records) == 2 * 6
    for (given, name), record in records.items():
        other = records[not given, name]
        np.testing.assert_array_equal(record.box, other.box)
        np.testing.assert_array_equal(record.mask, other.mask)
        np.testing.assert_array_equal(record.coords, other.coords)


@pytest.mark.parametrize(("folder", "suffix"), [("rgb", ".jpg"), ("gray", ".png"), ("gray", ".tif")])
def test_pictures_may_be_photographs_or_grey(tiny: Path, folder: str, suffix: str) -> None:
    scene = tiny / "test" / "000002"
    content = np.full((36, 48), 77, np.uint8)
    for file in (scene / "rgb").iterdir():
        file.unlink()
        (scene / folder).mkdir(exist_ok=True)
        cv2.imwrite(str(scene / folder / f"{file.stem}{suffix}"), content)
    data = BopFolder(tiny)
    info = data.objects()["obj_000007"]
    frame = data.frames(info).by_split["test"][0]
    record = frame_record(frame, Renderer(data.mesh(info)), data.model(info))
    middle = record.rgb.shape[0] // 2
    assert np.abs(record.rgb[middle, middle].astype(int) - 77).max() <= 2


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("gt", lambda t: t["1"][1].pop("obj_id"), ["scene_gt.json", "image 1", "obj_id"]),
        ("gt", lambda t: t["1"].pop(), ["scene_gt_info.json", "image 1"]),
        ("gt", lambda t: t["1"][1].pop("cam_R_m2c"), ["scene_gt.json", "image 1", "cam_R_m2c"]),
        ("gt", lambda t: t["1"][1].update(cam_t_m2c=[1, 2]), ["image 1", "cam_t_m2c", "3 numbers"]),
        ("gt", lambda t: t["1"][1].update(cam_t_m2c=[1, 2, "3"]), ["image 1", "cam_t_m2c", "3 numbers"]),
        ("gt", lambda t: t["1"][1].update(cam_t_m2c=[1, 2, -3]), ["image 1", "cam_t_m2c", "behind"]),
        ("gt", lambda t: t["1"][1].update(cam_R_m2c=[1.0] * 9), ["image 1", "cam_R_m2c", "no rotation"]),
        ("camera", lambda t: t["1"].pop("cam_K"), ["scene_camera.json", "image 1", "cam_K"]),
        ("camera", lambda t: t.pop("1"), ["scene_camera.json", "'1'"]),
        ("camera", lambda t: t["1"].update(cam_K=[1] * 9), ["scene_camera.json", "no camera matrix"]),
        ("camera", lambda t: t["1"].update(cam_K=[float("nan")] * 9), ["image 1", "cam_K", "9 numbers"]),
        ("gt_info", lambda t: t["1"][1].update(visib_fract="1"), ["scene_gt_info.json", "visib_fract"]),
        ("gt_info", lambda t: t["1"].__setitem__(1, 1.0), ["scene_gt_info.json", "image 1", "no table"]),
        ("gt_info", lambda t: t["1"].pop(), ["scene_gt_info.json", "image 1"]),
    ],
)
def test_what_is_wrong_names_file_image_and_key(
    tiny: Path, table: str, change: Callable[[Any], Any], words: list[str]
) -> None:
    edit(tiny / "test" / "000002" / f"scene_{table}.json", change)
    data = BopFolder(tiny)
    with pytest.raises(UserError) as raised:
        data.frames(data.objects()["obj_000001"])
    assert all(word in str(raised.value) for word in words), raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "purpose"),
    [
        ("scene_gt.json", "which says the poses"),
        ("scene_camera.json", "which says the camera matrices"),
        ("mask_visib/000001_000002.png", "says what is seen of the object"),
    ],
)
def test_missing_file_is_named_with_what_it_is_for(tiny: Path, name: str, purpose: str) -> None:
    (tiny / "test" / "000002" / name).unlink()
    data = BopFolder(tiny)
    with pytest.raises(UserError, match=f"{Path(name).name}.*{purpose}"):
        data.frames(data.objects()["obj_000001"])


def test_broken_files_are_named(bop_dir: Path) -> None:
    data = BopFolder(bop_dir)
    frame = data.frames(CAT).by_split["test"][0]
    assert frame.mask_file is not None
    renderer, model = Renderer(data.mesh(CAT)), data.model(CAT)
    cv2.imwrite(str(frame.mask_file), np.zeros((480, 640), np.uint8))
    with pytest.raises(UserError, match=r"000001_000001\.png is empty"):
        frame_record(frame, renderer, model)
    far_away = np.zeros((480, 640), np.uint8)
    far_away[0, 0] = 255
    cv2.imwrite(str(frame.mask_file), far_away)
    with pytest.raises(UserError, match=r"000001_000001\.png does not lie where the pose puts cat"):
        frame_record(frame, renderer, model)
    cv2.imwrite(str(frame.mask_file), far_away.T)
    with pytest.raises(UserError, match=r"000001_000001\.png is not as large as the picture"):
        frame_record(frame, renderer, model)
    frame.mask_file.write_bytes(b"x")
    with pytest.raises(UserError, match=r"000001_000001\.png is not a readable picture"):
        frame_record(frame, renderer, model)
    frame.image_file.write_bytes(b"x")
    with pytest.raises(UserError, match=r"000001\.png is not a readable picture"):
        frame_record(frame, renderer, model)
    (bop_dir / "test" / "000006" / "scene_gt.json").write_text("{")
    with pytest.raises(UserError, match=r"scene_gt\.json is not JSON"):
        data.frames(CAT)


def test_half_a_photograph_is_refused(tiny: Path) -> None:
    data = BopFolder(tiny)
    info = data.objects()["obj_000007"]
    renderer, model = Renderer(data.mesh(info)), data.model(info)
    picture = tiny / "test" / "000002" / "rgb" / "000000.png"
    photograph = picture.with_suffix(".jpg")
    cv2.imwrite(str(photograph), picture_in(picture))
    picture.unlink()
    frame = data.frames(info).by_split["test"][0]
    assert frame_record(frame, renderer, model).rgb.any()
    photograph.write_bytes(photograph.read_bytes()[:-100])
    assert cv2.imread(str(photograph)) is not None  # OpenCV is content
    with pytest.raises(UserError, match=r"000000\.jpg is not a readable picture, or not a whole one"):
        frame_record(frame, renderer, model)


def test_camera_inside_an_object_is_refused(tiny: Path) -> None:
    edit(tiny / "test" / "000002" / "scene_gt.json", lambda t: t["0"][1].update(cam_t_m2c=[0, 0, 1]))
    data = BopFolder(tiny)
    info = data.objects()["obj_000007"]
    frame = data.frames(info).by_split["test"][0]
    with pytest.raises(UserError, match=r"000000\.png: .* behind the camera, or through it"):
        frame_record(frame, Renderer(data.mesh(info)), data.model(info))


def test_real_cat_mesh_coincides_with_the_given_masks(real_lm: Path) -> None:
    data = BopFolder(real_lm)
    renderer = Renderer(data.mesh(CAT))
    overlaps: dict[str, list[float]] = {"ours": [], "theirs": []}
    for frame in data.frames(CAT).by_split["test"][::16]:
        given = load_mask(frame, SIZE)
        for name, K in (("ours", frame.K), ("theirs", frame.K + BOP_MASKS)):
            maps = renderer.maps(frame.T_cam_obj, K, SIZE)
            rendered = np.zeros_like(given)
            (x, y), (height, width) = maps.origin, maps.mask.shape
            rendered[y : y + height, x : x + width] = maps.mask
            overlaps[name].append((given & rendered).sum() / (given | rendered).sum())
    assert len(overlaps["ours"]) == 32
    assert min(overlaps["theirs"]) > 0.995
    assert np.mean(overlaps["theirs"]) > 0.9995
    # With pixel centres where the photographs have them, half a pixel is missing on two sides.
    assert np.mean(overlaps["ours"]) > 0.95
    assert min(overlaps["ours"]) > 0.93
