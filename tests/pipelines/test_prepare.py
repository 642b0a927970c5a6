"""The command line: says what it did, repeats nothing, explains errors in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from pipelines.prepare import main

SMALL = ["--train", "3", "--validation", "1", "--test", "1", "--mesh-resolution", "24"]
SMALL += ["--background-count", "2", "--workers", "1"]


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_builds_once_verifies_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--objects", "cat", *SMALL, "--root", str(tmp_path)]
    code, out, _ = run_cli(capsys, *arguments)
    assert code == 0
    path = next(folder for folder in tmp_path.iterdir() if folder.name != ".build")
    assert f"dataset {path.name} (train 3, validation 1, test 1): {path}" in out
    code, out, _ = run_cli(capsys, "build", *arguments)
    assert (code, out) == (0, f"dataset {path.name} is already built: {path}\n")
    code, out, _ = run_cli(capsys, "verify", str(path))
    assert code == 0
    assert "as it was built" in out
    sheet = tmp_path / "sheet.png"
    assert run_cli(capsys, "inspect", str(path), "--output", str(sheet))[0] == 0
    picture = cv2.imread(str(sheet))
    assert picture.shape[0] == 3 * 3 * 192
    assert picture.std() > 20


def test_skipped_pictures_are_reported(
    tmp_path: Path, bop_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--objects", "cat", *SMALL, "--source", str(bop_dir), "--root", str(tmp_path)]
    code, out, _ = run_cli(capsys, *arguments)
    assert code == 0
    assert "cat: skipped 1 test pictures not on disk" in out
    assert "(train 4, validation 1, test 2)" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--objects", "cart", *SMALL],
        ["--objects", "cat", *SMALL, "--source", "nowhere"],
        ["verify", "nowhere"],
        ["inspect", "nowhere"],
    ],
)
def test_errors_are_one_line_and_exit_2(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run_cli(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_damage_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_cli(capsys, "--objects", "cat", *SMALL, "--root", str(tmp_path))
    path = next(folder for folder in tmp_path.iterdir() if folder.name != ".build")
    shard = path / "test-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1])
    code, _, err = run_cli(capsys, "verify", str(path))
    assert code == 2
    assert "test-00000.arrow" in err
