"""The CDPN and EPro-PnP layout: what each file means, what is rendered instead, what is refused."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.data.schema import Record, dequantise
from epropnp.errors import UserError
from pipelines.objects import LINEMOD
from pipelines.readers.cdpn import CdpnFolder
from pipelines.readers.frames import Frame, frame_record
from pipelines.rendering.camera_views import LINEMOD_K, project
from pipelines.rendering.renderer import Renderer
from tests.pipelines.folders import CDPN_PICTURES, cdpn_files, write_files

CAT = LINEMOD["cat"]
FIRST = "real_train/cat/000000"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_files(cdpn_files(), tmp_path / "cdpn")


def frame_of(root: Path, name: str = FIRST) -> Frame:
    frames = CdpnFolder(root).frames(CAT).by_split
    return next(f for split in frames.values() for f in split if f.sample_id == f"cdpn/{name}")


def record_of(root: Path, name: str = FIRST) -> Record:
    data = CdpnFolder(root)
    return frame_record(frame_of(root, name), Renderer(data.mesh(CAT)), data.model(CAT))


def change_map(root: Path, **entries: Any) -> None:
    file = root / f"{FIRST}-coor.pkl"
    file.write_bytes(pickle.dumps(pickle.loads(file.read_bytes()) | entries))


def test_folders_become_splits_and_renderings_are_marked(root: Path) -> None:
    found = CdpnFolder(root).frames(CAT)
    real = [f"cdpn/real_train/cat/{i:06d}" for i in range(CDPN_PICTURES["real_train"])]
    rendered = [f"cdpn/imgn/cat/{i:06d}_0" for i in range(CDPN_PICTURES["imgn"])]
    assert [frame.sample_id for frame in found.by_split["train"]] == real + rendered
    assert [frame.synthetic for frame in found.by_split["train"]] == [False] * 3 + [True] * 2
    tests = [f"cdpn/real_test/cat/{i:06d}" for i in range(CDPN_PICTURES["real_test"])]
    assert [frame.sample_id for frame in found.by_split["test"]] == tests
    assert found.notes == {}


def test_poses_are_metres_and_the_camera_is_linemods(root: Path) -> None:
    frame = frame_of(root)
    T = np.loadtxt(root / f"{FIRST}-pose.txt")
    np.testing.assert_array_equal(frame.T_cam_obj, np.vstack([T, [0, 0, 0, 1]]))
    np.testing.assert_array_equal(frame.K, LINEMOD_K)


def test_another_camera_is_told_by_a_file_at_the_root(root: Path) -> None:
    camera = {"fx": 615.0, "fy": 616.0, "cx": 318.0, "cy": 238.0, "width": 640, "height": 480}
    (root / "camera.json").write_text(json.dumps(camera))
    np.testing.assert_array_equal(frame_of(root).K, [[615, 0, 318], [0, 616, 238], [0, 0, 1]])
    (root / "camera.json").write_text("{}")
    with pytest.raises(UserError, match=r"camera\.json is no camera: it needs K or cam_K"):
        frame_of(root)


def test_detected_boxes_are_kept(root: Path) -> None:
    x1, y1, x2, y2 = np.loadtxt(root / "real_test" / "cat" / "000001-box_fasterrcnn.txt")
    record = record_of(root, "real_test/cat/000001")
    assert record.detected_box is not None
    np.testing.assert_array_equal(record.detected_box, [x1, y1, x2 - x1, y2 - y1])
    assert record_of(root).detected_box is None


@pytest.mark.parametrize(
    "content", ["", " \n", "0 0 0 0", "-1 -1 -1 -1", "-1\n-1\n-1\n-1\n", "nan nan nan nan", "none", "[]"]
)
def test_a_detector_that_found_nothing_leaves_no_box(root: Path, content: str) -> None:
    (root / "real_test" / "cat" / "000001-box_fasterrcnn.txt").write_text(content)
    assert record_of(root, "real_test/cat/000001").detected_box is None
    assert record_of(root, "real_test/cat/000000").detected_box is not None
    notes = {"real_test pictures in which the detector found nothing": 1}
    assert CdpnFolder(root).frames(CAT).notes == notes


@pytest.mark.parametrize("missing", [(), ("coor.pkl",), ("label.png",), ("coor.pkl", "label.png")])
def test_given_and_rendered_maps_and_masks_are_the_same(root: Path, missing: tuple[str, ...]) -> None:
    expected = record_of(root)
    for name in missing:
        (root / f"{FIRST}-{name}").unlink()
    record, model = record_of(root), CdpnFolder(root).model(CAT)
    np.testing.assert_array_equal(record.box, expected.box)
    np.testing.assert_array_equal(record.mask, expected.mask)
    steps = np.abs(record.coords.astype(int) - expected.coords.astype(int)).max()
    assert steps <= 1  # the pickled map has single precision
    rows, columns = np.nonzero(record.mask)
    points = dequantise(record.coords[rows, columns], model).astype(np.float64)
    pixels = np.stack([columns, rows], axis=1) + record.map_origin
    assert np.abs(project(points, record.T_cam_obj, record.K) - pixels).max() < 0.02
    reasons = {"coor.pkl": "coordinate maps", "label.png": "masks"}
    notes = {f"real_train {reasons[name]} not given: rendered": 1 for name in missing}
    assert CdpnFolder(root).frames(CAT).notes == notes


def test_coordinates_of_a_given_map_are_used(root: Path) -> None:
    table = pickle.loads((root / f"{FIRST}-coor.pkl").read_bytes())
    expected = record_of(root)
    change_map(root, coor=table["coor"] * np.float32(1.001))
    assert np.abs(record_of(root).coords.astype(int) - expected.coords.astype(int)).max() > 10


def test_model_has_the_tables_diameter_and_the_studys_symmetries(root: Path) -> None:
    data = CdpnFolder(root)
    model = data.model(CAT)
    assert model.diameter_m == pytest.approx(CAT.diameter_m)
    assert model.symmetries.shape == (1, 4, 4)
    assert model.points.shape == (14, 3)
    assert list(data.objects()) == ["ape", "cat"]


def test_missing_pictures_are_counted(root: Path) -> None:
    (root / "real_test" / "cat" / "000000-color.png").unlink()
    found = CdpnFolder(root).frames(CAT)
    assert len(found.by_split["test"]) == 1
    assert found.notes == {"real_test pictures not on disk": 1}


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (f"{FIRST}-pose.txt", None, r"cannot read .*000000-pose\.txt, which says a picture's pose"),
        (f"{FIRST}-pose.txt", "1 0 0 0 0 1 0 0 0 0 1", r"pose\.txt must hold 3 x 4 numbers"),
        (f"{FIRST}-pose.txt", "1 0 0 0 0 1 0 0 0 0 1 nan", r"pose\.txt must hold 3 x 4 numbers"),
        (f"{FIRST}-pose.txt", "1 0 0 0 0 1 0 0 0 0 1 -1", r"pose\.txt is no pose"),
        (f"{FIRST}-pose.txt", "2 0 0 0 0 1 0 0 0 0 1 1", r"pose\.txt is no pose"),
        ("real_test/cat/000000-box_fasterrcnn.txt", "5 5 4 9", r"box_fasterrcnn\.txt is no box"),
        ("real_test/cat/000000-box_fasterrcnn.txt", "5 5 4", r"box_fasterrcnn\.txt must hold 4 numbers"),
        ("models/models_info.txt", "6 diameter", r"models_info\.txt: line 1 is not of the form"),
        ("models/models_info.txt", "6 diameter -1", r"models_info\.txt: line 1 has a diameter"),
        ("models/models_info.txt", None, r"cannot read .*models_info\.txt, which says diameters"),
        ("models/cat/cat.ply", None, r"no mesh at .*cat\.ply"),
    ],
)
def test_broken_files_are_named(root: Path, name: str, content: str | None, words: str) -> None:
    if content is None:
        (root / name).unlink()
    else:
        (root / name).write_text(content)
    data = CdpnFolder(root)
    with pytest.raises(UserError, match=words):
        _ = (data.objects(), data.model(CAT), data.frames(CAT))


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"u": 60}, "does not lie where pose and camera put the object"),  # out of the picture
        ({"l": 2}, "does not lie where pose and camera put the object"),  # in it, elsewhere
        ({"u": "top"}, "is no coordinate map"),
        ({"coor": np.zeros((5, 5, 3))}, "does not lie where pose and camera put the object"),
        ({"coor": np.zeros((5, 5))}, r"'coor' must hold finite numbers \(h, w, 3\), not \(5, 5\)"),
        ({"coor": np.full((5, 5, 3), np.nan)}, "'coor' must hold finite numbers"),
    ],
)
def test_maps_that_contradict_the_pose_are_refused(root: Path, entries: dict[str, Any], words: str) -> None:
    change_map(root, **entries)
    with pytest.raises(UserError, match=words) as raised:
        record_of(root)
    assert "000000-coor.pkl" in str(raised.value)


def test_label_without_the_objects_id_is_refused(root: Path) -> None:
    (root / f"{FIRST}-label.png").write_bytes(cdpn_files()["imgn/cat/000000_0-label.png"])
    with pytest.raises(UserError, match=r"000000-label\.png is empty: it has no pixel of value 6"):
        record_of(root)


def test_object_without_pictures_is_named(root: Path) -> None:
    (root / "models" / "models_info.txt").write_text("1 diameter 102.1\n15 diameter 212.4")
    data = CdpnFolder(root)
    with pytest.raises(UserError, match="no frames of phone in real_train, real_test or imgn"):
        data.frames(data.objects()["phone"])
