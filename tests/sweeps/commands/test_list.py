"""`list`: a row per sweep, and those that cannot be read in a note."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from epropnp.evaluation.table_text import to_csv
from epropnp.training.result import TrialResult
from sweeps.__main__ import main
from sweeps.commands.list import age_text, list_table
from sweeps.commands.state import SweepState
from tests.sweeps.commands.made import a_sweep, begin, finish


def test_sweeps_are_listed_with_what_became_of_them(
    tmp_path: Path, result: TrialResult, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = a_sweep(tmp_path, "first", 1), a_sweep(tmp_path, "second", 3)
    finish(begin(first, 0, "finished", 1, 41.25), result)
    hour_ago = time.time() - 3 * 3600
    for file in (first.folder / "sweep.json", *first.folder.glob("trials/*/status.json")):
        os.utime(file, (hour_ago, hour_ago))
    begin(second, 0, "failed")
    (tmp_path / "third").mkdir()
    (tmp_path / "third" / "sweep.json").write_text("{")
    assert main(["list", "--out", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip(" ─")]
    assert lines[0] == ["sweep", "state", "trials", "best", "validation", "area", "last", "change"]
    assert lines[1] == ["first", "finished", "1", "finished", "41.2", "3", "h", "ago"]
    assert lines[2][:-3] == ["second", "interrupted", "2", "waiting,", "1", "failed", "-"]
    assert "third/sweep.json is damaged" in " ".join(word for line in lines[3:] for word in line)


def test_where_there_is_none_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--out", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"error: --out: there is no sweep in {tmp_path / 'none'}\n"


def test_a_table_has_full_numbers_and_a_sweep_from_the_future_is_new() -> None:
    state = SweepState(name="a", state="running", counts=Counter(), best_area=1 / 3, changed=200.0)
    assert to_csv(list_table([state], 100.0)).splitlines()[1] == f"a,running,none,{1 / 3},0.0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age_text(seconds) == text


@pytest.mark.parametrize("command", ["list", "status", "stop", "clean"])
def test_commands_load_nothing_heavy(command: str, tmp_path: Path, result: TrialResult) -> None:
    """Also when they have read the folders of a sweep."""
    finish(begin(a_sweep(tmp_path, "mine", 1), 0, "finished", 1), result)
    words = [command, *(["mine"] if command != "list" else []), "--out", str(tmp_path)]
    words += ["--yes"] if command == "clean" else []
    script = (
        "import json, sys\nfrom sweeps.__main__ import main\n"
        f"assert main({words!r}) == 0\n"
        "print(json.dumps(sorted({'torch', 'ray', 'mlflow', 'timm', 'pandas', 'scipy'} & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
