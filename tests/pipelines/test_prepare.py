"""The command line: says what it did, repeats nothing, explains errors in one line."""

import re
from pathlib import Path

import pytest
from huggingface_hub import constants

from epropnp.models import pretrained
from pipelines.prepare import main
from tests.pictures import picture_in

SMALL = ["--train", "3", "--validation", "1", "--test", "1", "--mesh-resolution", "24"]
SMALL += ["--background-count", "2", "--workers", "1"]


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def only_dataset(root: Path) -> Path:
    (manifest,) = root.glob("*/manifest.json")
    return manifest.parent


def test_builds_once_verifies_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--objects", "cat", *SMALL, "--root", str(tmp_path)]
    code, out, _ = run_cli(capsys, *arguments)
    assert code == 0
    path = only_dataset(tmp_path)
    assert f"dataset {path.name} (train 3, validation 1, test 1): {path}" in out
    assert re.search(r"^5 samples, \d\.\d MB, in \d+ s$", out, re.MULTILINE)
    assert f"prepare.py inspect {path}" in out
    code, out, _ = run_cli(capsys, "build", *arguments)
    assert (code, out) == (0, f"dataset {path.name} is already built: {path}\n")
    code, out, _ = run_cli(capsys, "verify", str(path))
    assert code == 0
    assert "as it was built" in out
    sheet = tmp_path / "sheet.png"
    assert run_cli(capsys, "inspect", str(path), "--output", str(sheet))[0] == 0
    picture = picture_in(sheet)
    assert picture.shape[0] == 3 * (16 + 4 * 192)
    assert picture.std() > 20


def test_skipped_pictures_are_reported(
    tmp_path: Path, bop_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--objects", "cat", *SMALL, "--source", str(bop_dir), "--root", str(tmp_path)]
    code, out, _ = run_cli(capsys, *arguments)
    assert code == 0
    assert "cat: 1 test pictures not on disk" in out
    assert "(train 4, validation 1, test 2)" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--objects", "cart", *SMALL],
        ["--objects", "cat", *SMALL, "--source", "nowhere"],
        ["verify", "nowhere"],
        ["inspect", "nowhere"],
        ["biuld", "--objects", "cat"],
        [],
        ["--objects", "cat", "--trian", "3"],
        ["--objects", "cat", "--train", "three"],
        ["build", "--train", "3"],
        ["verify"],
        ["verify", "here", "there"],
        ["weights"],
        ["weights", "resnt34"],
        ["inspect", "nowhere", "--outptu", "sheet.png"],
        ["--objects", "cat", *SMALL, "--ray", "auto"],
        ["--objects", "cat", "--workers", "0"],
        ["--objects", "cat", "--ray", "127.0.0.1:1", "--mesh-resolution", "24", "--background-count", "1"],
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("biuld --objects cat", "unknown command 'biuld'; did you mean 'build'?"),
        ("--objects cat --trian 3", "unknown flag --trian; did you mean '--train'?"),
        ("--trian 3", "unknown flag --trian; did you mean '--train'?"),
        ("build --objets cat", "unknown flag --objets; did you mean '--objects'?"),
        ("export here --outptu=there", "unknown flag --outptu=there; did you mean '--output'?"),
    ],
)
def test_near_misses_are_named(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run_cli(capsys, *words.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}")


def test_weights_are_fetched_one_by_one_and_their_cache_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr(pretrained, "create_pretrained", lambda name, file: fetched.append(name))
    code, out, _ = run_cli(capsys, "weights", "test_resnet", "resnet34")
    assert (code, fetched) == (0, ["test_resnet", "resnet34"])
    assert out.splitlines() == [
        "test_resnet: its weights are here",
        "resnet34: its weights are here",
        f"elsewhere, share or copy this folder and set HF_HUB_CACHE={constants.HF_HUB_CACHE}",
    ]
    code, _, err = run_cli(capsys, "weights", "test_resnet", "resnt34")
    assert (code, fetched[2:]) == (2, [])  # all names are looked at first
    assert "did you mean 'resnet34'?" in err


def test_help_of_every_command_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["build"], ["verify"], ["inspect"], ["export"], ["weights"]):
        with pytest.raises(SystemExit) as stop:
            main([*words, "--help"])
        assert stop.value.code == 0
        out = capsys.readouterr().out
        assert ("python pipelines/prepare.py build --objects cat" in out) == (not words)
        assert "None" not in out  # a flag says its default in words


def test_damage_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_cli(capsys, "--objects", "cat", *SMALL, "--root", str(tmp_path))
    path = only_dataset(tmp_path)
    shard = path / "test-00000.arrow"
    shard.write_bytes(shard.read_bytes()[:-1])
    code, _, err = run_cli(capsys, "verify", str(path))
    assert code == 2
    assert "test-00000.arrow" in err
