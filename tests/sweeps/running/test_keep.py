"""Which weights stay, by what became of a trial; nothing else is ever touched."""

from pathlib import Path

import pytest

from sweeps.running.keep import KEEPS, Keep, remove_surplus, surplus

OTHERS = {
    "predictions.parquet",
    "validation.parquet",
    "status.json",
    "trial.json",
    "predictions.png",
    "notes.pt",
}
WEIGHTS = {"checkpoint.pt", "best.pt", "epoch-0002.pt", "epoch-0120.pt"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in OTHERS | WEIGHTS:
        (tmp_path / name).write_text(name)
    return tmp_path


def kept(folder: Path, keep: Keep) -> set[str]:
    remove_surplus(folder, keep)
    left = {file.name for file in folder.iterdir()}
    assert left >= OTHERS
    return left & WEIGHTS


@pytest.mark.parametrize(
    ("keep", "names"),
    [("best", {"best.pt"}), ("last", {"checkpoint.pt"}), ("all", WEIGHTS), ("none", set())],
)
def test_a_finished_trial_keeps_what_was_asked_for(keep: Keep, names: set[str], folder: Path) -> None:
    (folder / "result.json").touch()
    assert kept(folder, keep) == names
    assert (folder / "result.json").exists()
    assert kept(folder, keep) == names  # once more


@pytest.mark.parametrize("keep", KEEPS)
def test_a_stopped_one_keeps_what_it_can_go_on_from(keep: Keep, folder: Path) -> None:
    (folder / "stop").write_text("by hand")
    assert kept(folder, keep) == (WEIGHTS if keep == "all" else {"checkpoint.pt", "best.pt"})


@pytest.mark.parametrize("keep", KEEPS)
def test_one_that_failed_or_waits_keeps_all(keep: Keep, folder: Path) -> None:
    assert kept(folder, keep) == WEIGHTS


def test_what_cannot_be_removed_stays_and_the_rest_goes(folder: Path) -> None:
    (folder / "result.json").touch()
    (folder / "best.pt").unlink()
    (folder / "best.pt").mkdir()
    assert [file.name for file in surplus(folder, "none")] == [
        "checkpoint.pt",
        "epoch-0002.pt",
        "epoch-0120.pt",
    ]
    assert kept(folder, "none") == {"best.pt"}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    remove_surplus(tmp_path / "none", "best")
    assert surplus(tmp_path / "none", "none") == []
