"""`status`: a row per trial, whatever became of it."""

from pathlib import Path

import pytest

from epropnp.evaluation.table_text import to_csv
from epropnp.training.result import TrialResult
from sweeps.__main__ import main
from sweeps.commands.status import status_table
from sweeps.folder import open_sweep
from tests.sweeps.commands.made import a_sweep, begin, finish, held


def test_every_trial_has_a_row(tmp_path: Path, result: TrialResult) -> None:
    sweep = a_sweep(tmp_path, "mine", 5)
    names = list(sweep.planned_names)
    finish(begin(sweep, 0, "finished", 1, 2, 21.5), result)
    begin(sweep, 1, "failed", 1, reason="[bold]loss is NaN[/]")
    running = begin(sweep, 2, "running", 1, 4)
    (begin(sweep, 3, "waiting") / "trial.json").write_text("{")
    with held(running):
        table = status_table(open_sweep(tmp_path / "mine"))
    assert table.title == "sweep mine: running, 1 running, 1 waiting, 1 finished, 1 failed, 1 damaged"
    head, *lines = to_csv(table).splitlines()
    assert head == "trial,status,epoch,val ADD(-S) 0.10d,time,host,reason"
    assert lines[:3] == [
        f"{names[0]},finished,2/2,43.0,20.0,alpha,",
        f"{names[1]},failed,0/2,2.0,0.0,alpha,[bold]loss is NaN[/]",
        f"{names[2]},running,1/2,8.0,10.0,alpha,",
    ]
    assert lines[3].startswith(f"{names[3]},damaged,,,,,")
    assert lines[4] == f"{names[4]},waiting,,,,,"


def test_the_newest_sweep_is_shown_where_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(a_sweep(tmp_path, "mine", 1), 0, "failed", 1, 3, reason="[bold]loss[/]")
    for words in ([], ["mine"]):
        assert main(["status", *words, "--out", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        assert "sweep mine: finished, 1 failed" in said
        assert "[bold]loss[/]" in said
        assert "0:00:10" in said
    assert main(["status", "mien", "--out", str(tmp_path)]) == 2
    assert "did you mean 'mine'?" in capsys.readouterr().err
