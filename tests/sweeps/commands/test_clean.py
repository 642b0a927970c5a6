"""`clean`: what is not needed goes when somebody says so, results never, and nothing while the sweep runs."""

import sys
from pathlib import Path

import pytest

from epropnp.training.result import TrialResult
from sweeps.__main__ import main
from sweeps.commands.clean import keep_of, size_of
from sweeps.folder import Sweep
from tests.sweeps.commands.made import a_sweep, begin, finish, held

RESULTS = {"trial.json", "status.json", "result.json", "predictions.parquet", "validation.parquet"}


@pytest.fixture
def sweep(tmp_path: Path, result: TrialResult) -> Sweep:
    """A finished trial, a stopped one, one that failed, records of Ray, and what kills left behind."""
    made = a_sweep(tmp_path, "mine")
    finish(begin(made, 0, "finished", 1), result)
    stopped = begin(made, 1, "stopped", 1)
    (stopped / "stop").write_text("race")
    failed = begin(made, 2, "failed", 1)
    for folder in (stopped, failed):
        for name in ("best.pt", "checkpoint.pt", "epoch-0001.pt", "checkpoint.pt.tmp"):
            (folder / name).write_bytes(bytes(10))
    (made.folder / "ray" / "tune").mkdir(parents=True)
    (made.folder / "ray" / "tune" / "state").write_bytes(bytes(250_000))
    (made.folder / "sweep.json.0123.partial").write_bytes(b"half")
    (made.folder / "table.md").write_text("table")
    return made


def left(sweep: Sweep, seed: int) -> set[str]:
    (folder,) = (each for each in sweep.trial_folders() if f"seed{seed}-" in each.name)
    return {file.name for file in folder.iterdir() if not file.name.startswith(".")}


def test_what_is_not_needed_goes(sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["clean", "mine", "--out", str(tmp_path), "--yes"]) == 0
    assert left(sweep, 0) == RESULTS | {"best.pt"}
    assert left(sweep, 1) == {"trial.json", "status.json", "stop", "best.pt", "checkpoint.pt"}
    assert left(sweep, 2) == {"trial.json", "status.json", "best.pt", "checkpoint.pt", "epoch-0001.pt"}
    assert {file.name for file in sweep.folder.iterdir()} == {"sweep.json", "table.md", "trials", ".lock"}
    lines = capsys.readouterr().out.splitlines()
    sizes = {line.split()[0].rpartition("/")[2]: line.split()[1:] for line in lines if " MB" in line}
    assert sizes["ray"] == ["0.2", "MB"]
    assert (sizes["3.8"], lines[-1]) == (["MB", "in", str(sweep.folder)], "removed")
    assert main(["clean", "mine", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "sweep mine: there is nothing to remove\n"


@pytest.mark.parametrize(
    ("keep", "kept"),
    [("none", set()), ("last", {"checkpoint.pt"}), ("all", {"best.pt", "checkpoint.pt", "epoch-0001.pt"})],
)
def test_weights_of_finished_trials_stay_as_one_says(
    keep: str, kept: set[str], sweep: Sweep, tmp_path: Path
) -> None:
    assert main(["clean", "mine", "--out", str(tmp_path), "--yes", "--keep", keep]) == 0
    assert left(sweep, 0) == RESULTS | kept


def test_the_sweeps_own_choice_holds_where_none_is_given(tmp_path: Path, result: TrialResult) -> None:
    for name, command in (("a", ["--keep", "all"]), ("b", ["--keep", "last"]), ("c", ["--seeds", "1"])):
        finish(begin(a_sweep(tmp_path, name, 1, command), 0, "finished", 1), result)
    kept = {"a": {"best.pt", "checkpoint.pt", "epoch-0001.pt"}, "b": {"checkpoint.pt"}, "c": {"best.pt"}}
    for name, files in kept.items():
        assert main(["clean", name, "--out", str(tmp_path), "--yes"]) == 0
        assert left(a_sweep(tmp_path, name, 1), 0) == RESULTS | files
    later = a_sweep(tmp_path, "a", 1, ["--keep", "none", "--seeds", "3"])
    assert keep_of(later) == "none"
    assert keep_of(later.with_command(["--no-such-flag"])) == "none"


@pytest.mark.parametrize("answer", ["n", "", "no", "nonsense"])
def test_it_asks_first(
    answer: str,
    sweep: Sweep,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: answer)
    assert main(["clean", "mine", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith("nothing was removed\n")
    assert (sweep.folder / "ray").is_dir()
    monkeypatch.setattr("builtins.input", lambda _: "Y")
    assert main(["clean", "mine", "--out", str(tmp_path)]) == 0
    assert not (sweep.folder / "ray").exists()


def test_where_nobody_can_answer_nothing_goes(
    sweep: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert main(["clean", "mine", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: nobody is there to answer: add --yes\n"
    assert (sweep.folder / "ray").is_dir()


def test_while_the_sweep_runs_nothing_goes(
    sweep: Sweep, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (sweep.folder, sweep.trial_folders()[0]):
        with held(folder):
            assert main(["clean", "mine", "--out", str(tmp_path), "--yes"]) == 2
        assert capsys.readouterr().err == (
            "error: sweep mine runs: wait, or interrupt it by `epropnp-sweeps stop mine`\n"
        )
    assert (sweep.folder / "ray").is_dir()


def test_links_are_not_followed(sweep: Sweep, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").write_bytes(bytes(1000))
    (sweep.folder / "ray" / "link").symlink_to(tmp_path / "elsewhere")
    assert size_of(sweep.folder / "ray") == 250_000
    assert main(["clean", "mine", "--out", str(tmp_path), "--yes"]) == 0
    assert (tmp_path / "elsewhere" / "precious").is_file()
