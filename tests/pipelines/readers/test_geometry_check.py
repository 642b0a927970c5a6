"""Wrong geometry is found and named, and right sets are called right: bodies that another program drew."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.readers.bop import BopFolder
from pipelines.readers.finding import Finding
from pipelines.readers.geometry_check import CHECKED, check_geometry
from tests.pipelines.polyhedra import NAME, K, Truth, body, corners, edit_scenes, frames_of, write_set

RIGHT = {
    "masks": Truth(),
    "far away": Truth(distance_m=(2.0, 3.0)),  # 20 pixels
    "near": Truth(distance_m=(0.2, 0.25)),
    "a 12 mm part": Truth(size=0.075, distance_m=(0.03, 0.04)),
    "visible masks": Truth(whole_masks=False),
    "occluders": Truth(whole_masks=False, hidden=(0.0, 0.6)),
    "occluders and whole masks": Truth(hidden=(0.0, 0.6)),
    "no shares": Truth(whole_masks=False, shares=False),
}


def findings(root: Path) -> tuple[Finding, ...]:
    folder = BopFolder(root)
    info = folder.objects()[NAME]
    return check_geometry(folder.model(info), folder.mesh(info), frames_of(root))


def verdict(found: Finding) -> str:
    return "refused" if found.refuses else "warned about" if found.warns else "right"


def line(root: Path) -> Finding:
    (found,) = findings(root)
    return found


@pytest.mark.parametrize("kind", RIGHT)
def test_right_sets_are_right(kind: str, tmp_path: Path) -> None:
    found = line(write_set(tmp_path / "set", RIGHT[kind]))
    assert verdict(found) == "right", found.text
    assert "1.000 (median)" in found.text


def transpose(pose: dict[str, Any]) -> None:
    pose["cam_R_m2c"] = np.reshape(pose["cam_R_m2c"], (3, 3)).T.ravel().tolist()


def another_camera(factor: float) -> Callable[[dict[str, Any]], None]:
    def change(camera: dict[str, Any]) -> None:
        camera["cam_K"] = (np.diag([factor, factor, 1.0]) @ K).ravel().tolist()

    return change


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("kind", ["transposed", "wider", "narrower", "moved", "larger", "smaller"])
def test_wrong_geometry_is_refused(kind: str, whole: bool, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", Truth(whole_masks=whole))
    if kind == "transposed":
        edit_scenes(root, "gt", transpose)
    elif kind in ("wider", "narrower"):
        edit_scenes(root, "camera", another_camera(0.93 if kind == "wider" else 1.07))
    else:
        change = {"moved": (1.0, 0.025), "larger": (1.15, 0.0), "smaller": (0.85, 0.0)}[kind]
        points = corners() * change[0] + (change[1], 0.0, 0.0)
        body(points).save(root / "models" / f"{NAME}.ply")
        edit_diameter(root, change[0])
    found = line(root)
    assert verdict(found) == "refused"
    assert found.line.startswith("WARNING: geometry: ")
    assert ("rotations look transposed" in found.text) == (kind == "transposed")
    if kind in ("larger", "smaller"):
        scale = float(found.text.partition("masks are ")[2].partition(" times")[0])
        assert scale == pytest.approx({"larger": 1 / 1.15, "smaller": 1 / 0.85}[kind], abs=0.04)


def edit_diameter(root: Path, factor: float) -> None:
    file = root / "models" / "models_info.json"
    table = json.loads(file.read_text())
    table["1"]["diameter"] *= factor
    file.write_text(json.dumps(table))


def test_what_hardly_fits_is_warned_about_and_no_error(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    body(corners() * 1.08).save(root / "models" / f"{NAME}.ply")
    edit_diameter(root, 1.08)
    found = line(root)
    assert verdict(found) == "warned about"
    assert found.line.startswith("WARNING: geometry: IoU of given and rendered masks 0.9")


@pytest.mark.parametrize("factor", [1.0, 0.985, 1.015, 0.95, 1.05, 0.85, 1.2])
def test_the_table_has_the_mesh_s_own_diameter(factor: float, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    edit_diameter(root, factor)
    about = [each for each in findings(root) if "diameter" in each.text]
    assert len(about) == (abs(factor - 1) > 0.02)
    if about:
        assert about[0].refuses == (abs(factor - 1) > 0.1)
        assert f"{160 * factor:.4g} mm" in about[0].text
        assert "own is 160 mm" in about[0].text
        assert f"{factor:.2f} times as wide" in about[0].text


def test_a_diagonal_of_the_box_is_called_so(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    diagonal_m = float(np.linalg.norm(np.ptp(corners(), axis=0)))
    edit_diameter(root, diagonal_m / 0.16)
    (about, _) = findings(root)
    assert "which is the diagonal of the bounding box" in about.text


@pytest.mark.parametrize(
    ("models", "poses", "words"),
    [
        (0.001, 0.001, "models and translations look like metres"),
        (1.0, 0.001, "translations look like metres"),
        (0.001, 1.0, "models and translations have other units"),
        (1000.0, 1000.0, "models look like millimetres"),
    ],
)
def test_units_that_are_a_thousand_times_off(models: float, poses: float, words: str, tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    folder = BopFolder(root)
    info = folder.objects()[NAME]
    model = replace(folder.model(info), diameter_m=0.16 * models, points=(corners() * models))
    frames = []
    for frame in frames_of(root):
        T = frame.T_cam_obj.copy()
        T[:3, 3] *= poses
        frames.append(replace(frame, T_cam_obj=T))
    (found,) = check_geometry(model, body(corners() * models), frames)
    assert verdict(found) == "refused"
    assert words in found.text


def test_some_frames_that_do_not_fit_are_named(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", Truth(frames=20))
    file = root / "test" / "000001" / "scene_gt.json"
    table = json.loads(file.read_text())
    for number in (3, 11, 12):
        transpose(table[str(number)][0])
    file.write_text(json.dumps(table))
    found = line(root)
    assert verdict(found) == "warned about"
    assert "3 of them do not fit, such as bop/test/000001/000003_000000" in found.text


def test_what_is_never_seen_wholly_is_said_where_no_share_is_stated(tmp_path: Path) -> None:
    found = line(write_set(tmp_path / "set", Truth(whole_masks=False, shares=False, hidden=(0.4, 0.5))))
    assert verdict(found) == "warned about"
    assert "visib_fract is not given" in found.text


def test_without_masks_nothing_is_proved_and_edges_are_a_sign(tmp_path: Path) -> None:
    bare = Truth(whole_masks=False, visible_masks=False)
    found = line(write_set(tmp_path / "set", bare))
    assert "nothing could be checked: there are no masks" in found.text
    assert verdict(found) == "right"
    assert float(found.text.partition("are ")[2].partition("are ")[2].partition(" times")[0]) > 2
    wrong = write_set(tmp_path / "wrong", bare)
    edit_scenes(
        wrong, "gt", lambda pose: pose.update(cam_t_m2c=np.add(pose["cam_t_m2c"], (60, 0, 0)).tolist())
    )
    found = line(wrong)
    assert verdict(found) == "warned about"
    assert "look at the contact sheet" in found.text


def test_masks_of_a_few_pixels_say_nothing(tmp_path: Path) -> None:
    found = line(write_set(tmp_path / "set", Truth(distance_m=(9.0, 10.0))))
    assert found.text == "geometry: nothing could be checked: 24 masks are too small for it"


def test_frames_are_taken_from_the_whole_set(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set", Truth(frames=CHECKED))
    assert f"{CHECKED} frames looked at" in line(root).text
