"""What a build says of geometry: it stops before anything is made, or says so and goes on."""

from dataclasses import replace
from pathlib import Path

import pytest

from epropnp.data.manifest import read_manifest
from pipelines.building.build import BuildConfig, build
from pipelines.building.plan import plan_dataset
from pipelines.prepare import main
from tests.pipelines.polyhedra import NAME, Truth, edit_scenes, write_set
from tests.pipelines.readers.test_geometry_check import transpose

WORDS = "rotations look transposed; written row by row, they fit"


def config(source: Path) -> BuildConfig:
    return BuildConfig(objects=(NAME,), source=source, train=0, background_count=1)


def words(source: Path, root: Path, *more: str) -> list[str]:
    flags = ["--objects", NAME, "--source", str(source), "--train", "0", "--background-count", "1"]
    return ["build", *flags, "--root", str(root), "--workers", "1", *more]


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    root = write_set(tmp_path / "wrong", Truth(frames=6))
    edit_scenes(root, "gt", transpose)
    return root


def test_right_geometry_is_said_printed_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_set(tmp_path / "right", Truth(frames=6))
    assert main(words(source, tmp_path / "data")) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "geometry" in line)
    assert line.startswith(f"{NAME}: geometry: IoU of given and rendered masks 1.000 (median)")
    path = plan_dataset(config(source), tmp_path / "data").path
    assert [f"{NAME}: {each}" for each in read_manifest(path)["geometry"][NAME]] == [line]
    assert main(["inspect", str(path), "--output", str(tmp_path / "sheet.png")]) == 0
    assert line in capsys.readouterr().out.splitlines()


def test_wrong_geometry_is_no_dataset(
    wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(wrong, tmp_path / "data")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert WORDS in error
    assert "; mend the data, or take it as it is: --accept-geometry (of a sweep: --set build.a" in error
    assert not plan_dataset(config(wrong), tmp_path / "data").path.exists()


def test_it_may_be_accepted_and_then_it_is_warned_about(
    wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Some of the masks lie beside their poses even so: of those the build cannot make records.
    edit_scenes(wrong, "gt", transpose)
    edit_scenes(wrong, "gt", lambda pose: pose.update(cam_t_m2c=[x * 1.2 for x in pose["cam_t_m2c"]]))
    assert main(words(wrong, tmp_path / "data", "--accept-geometry")) == 0
    assert f"{NAME}: WARNING: geometry: " in capsys.readouterr().out


def test_the_id_says_nothing_of_it(wrong: Path, tmp_path: Path) -> None:
    asked = config(wrong)
    ids = {plan_dataset(each, tmp_path).dataset_id for each in (asked, replace(asked, accept_geometry=True))}
    assert len(ids) == 1


def test_workers_find_the_same(tmp_path: Path) -> None:
    source = write_set(tmp_path / "right", Truth(frames=6))
    lines = [
        read_manifest(build(config(source), tmp_path / f"{workers}", workers=workers, progress=False))[
            "geometry"
        ]
        for workers in (1, 2)
    ]
    assert lines[0] == lines[1]
