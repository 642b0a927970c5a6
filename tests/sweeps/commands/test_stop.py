"""`stop`: a sweep is interrupted, a trial is stopped for good; both say how to undo it."""

from pathlib import Path

import pytest

from epropnp.training.halt import stop_reason
from epropnp.training.result import TrialResult
from sweeps.__main__ import main
from sweeps.trial import read
from tests.sweeps.commands.made import a_sweep, begin, finish, held


def test_a_sweep_that_runs_is_told_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = a_sweep(tmp_path, "mine")
    with held(sweep.folder):
        assert main(["stop", "mine", "--out", str(tmp_path)]) == 0
    assert stop_reason(sweep.folder) == "stopped by hand"
    assert capsys.readouterr().out.splitlines() == [
        "sweep mine is interrupted: running trials end after their running update, with a checkpoint",
        f"undo: epropnp-sweeps run --resume --name mine --out {tmp_path}",
    ]


def test_one_that_does_not_run_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a_sweep(tmp_path / "runs", "mine")
    assert main(["stop", "mine"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [
        "undo: epropnp-sweeps run --resume --name mine",
        "no process of this machine runs it; the next --resume goes on all the same",
    ]


def test_a_trial_is_stopped_for_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = a_sweep(tmp_path, "mine")
    first, second = begin(sweep, 0, "waiting"), begin(sweep, 1, "running")
    assert main(["stop", "mine", first.name[-6:], "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"trial {first.name} is stopped before it goes on; it counts as decided",
        f"undo: remove {first / 'stop'}, then --resume",
    ]
    assert (read(first).status, read(first).reason) == ("stopped", "stopped by hand")
    assert stop_reason(sweep.folder) is None
    with held(second):
        assert main(["stop", "mine", "seed1", "--out", str(tmp_path)]) == 0
    assert "is stopped after its running update, with a checkpoint;" in capsys.readouterr().out
    assert read(second).status == "stopped"


def test_what_has_ended_is_not_stopped(
    tmp_path: Path, result: TrialResult, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = a_sweep(tmp_path, "mine")
    finished = finish(begin(sweep, 0, "finished", 1), result)
    stopped = begin(sweep, 1, "stopped")
    (stopped / "stop").write_text("too slow")
    assert main(["stop", "mine", finished.name, "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: trial {finished.name} is finished already\n"
    assert not (finished / "stop").exists()
    assert main(["stop", "mine", stopped.name, "--out", str(tmp_path)]) == 2
    assert f"is stopped already (too slow); remove {stopped / 'stop'} to" in capsys.readouterr().err
    assert (stopped / "stop").read_text() == "too slow"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required"),
        (["mien"], "did you mean 'mine'?"),
        (["mine", "seed7"], "sweep mine has no trial 'seed7'"),
        (["mine", "--ot", "x"], "unknown flag --ot; did you mean '--out'?"),
    ],
)
def test_what_is_mistyped_is_answered_in_one_line(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(a_sweep(tmp_path, "mine"), 0, "waiting")
    assert main(["stop", *words, "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
