"""The live table in terminals of several sizes: what runs and the line of the whole are always there."""

import io
import re
from collections.abc import Sequence
from typing import Any

import pytest
from rich.console import Console

from sweeps.running import live_table as module
from sweeps.running.live_table import LiveTable
from sweeps.running.states import SweepState

SIZES = [(100, 30), (80, 24)]
BACKBONES = ("hrnet_w18", "hrnet_w32", "hrnet_w48_ssld", "hrnet_w18_small_v2", "hrnet_w30", "hrnet_w64")
SHORT = [name.removeprefix("hrnet_") for name in BACKBONES]
LABELS = [f"{name} seed {seed}" for name in BACKBONES for seed in range(6)]
LONG = [
    f"mobilenetv4_conv_aa_large.e230_r448_in12k_ft_in1k loss weight {weight} optim.lr {rate} seed {seed}"
    for weight in (0.02, 0.05, 0.1)
    for rate in ("1e-3", "3e-3", "1e-4")
    for seed in range(4)
]


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "monotonic", lambda: 1000.0)


def sweep(labels: Sequence[str], finished: int, failed: int, running: int) -> SweepState:
    """Of so many trials from the first one on, the others wait; trial i finished at second i."""
    state = SweepState(dict.fromkeys(labels, 20), {}, {}, at_once=max(1, running))
    trials = list(state.trials.values())
    for i, trial in enumerate(trials[: finished + failed + running]):
        trial.start()
        trial.report({"epoch": 3, "epochs": 20, "metrics": {"val/add_0.10d": 45.67}}, 1000.0)
        told = {"loss": -12.3456, "images_per_s": 123.4, "memory_bytes": 12.3e9}
        trial.go_on({"doing": "running", "epoch": 3, "step": 45, "steps": 100, **told})
        trial.first_s = 1320.0
        if i < finished + failed:
            trial.end("finished" if i < finished else "failed", float(i))
    return state


def drawn(state: SweepState, width: int, height: int, shared: Sequence[str] = ()) -> list[str]:
    """The lines of a terminal, none of which may be longer than it, nor all higher."""
    console = Console(file=io.StringIO(), width=width, height=height, record=True)
    console.print(LiveTable(state, shared))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) < height
    return [line.rstrip() for line in lines]


def cells(line: str) -> list[str]:
    return re.split(r" {2,}", line)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_of_36_trials_those_that_run_come_first_and_the_rest_is_counted(width: int, height: int) -> None:
    state = sweep(LABELS, finished=24, failed=1, running=2)
    heading, titles, *rows, hidden, whole = drawn(state, width, height, ["recipe quick", "head study"])
    assert heading == "36 trials, hrnet_… seed …, recipe quick, head study"
    full = ["trial", "status", "epoch", "loss", "val ADD(-S)", "images/s", "memory", "time left"]
    assert cells(titles) == (
        full if width == 100 else ["trial", "status", "epoch", "loss", "val ADD", "img/s", "memory", "left"]
    )
    figures = ["3.4/20", "-12.35", "45.7 %", "123", "12.3 GB", "6 h 14 min"]  # 17 epochs of 22 minutes
    assert cells(rows[0]) == ["w30 1", "running", *figures]
    assert cells(rows[1]) == ["w30 2", "running", *figures]
    assert cells(rows[2])[-1] == "7 h 20 min"  # 20 epochs like those of the others
    names = [cells(row)[:2] for row in rows[2:7]]
    assert names == [
        ["w30 3", "waiting"],
        ["w30 4", "waiting"],
        ["w30 5", "waiting"],
        ["w30 0", "failed"],
        ["w18_small_v2 5", "finished"],  # the newest
    ]
    assert len(rows) == height - 5  # the heading, the titles, two lines of counts, and the cursor's
    assert hidden == f"not shown: {24 - (len(rows) - 6)} finished, 6 waiting"
    # 28 epochs of two trials at once, 9 x 20 and 2 x 17 in all, less what is behind
    assert whole == "24 of 36 finished, 1 failed, 2 running, 9 waiting; 39 h 14 min left"


@pytest.mark.parametrize(("width", "height"), [*SIZES, (60, 15), (200, 60), (40, 10)])
@pytest.mark.parametrize("labels", [LABELS, LONG], ids=["short", "long"])
@pytest.mark.parametrize("running", [1, 2, 4])
def test_every_running_trial_and_the_whole_are_in_any_terminal(
    width: int, height: int, labels: list[str], running: int
) -> None:
    state = sweep(labels, finished=36 - running - 8, failed=0, running=running)
    lines = drawn(state, width, height)
    rows = [line for line in lines if "running" in line]
    told = [line for line in lines if f"{36 - running - 8} of 36 finished" in line]
    assert len(told) == 1
    assert "left" in told[0]
    assert len(rows) - (told[0] in rows) == running
    assert sum("3.4/20" in line and "running" in line for line in lines) == running


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_names_are_whole_and_what_they_share_is_said_once(width: int, height: int) -> None:
    lines = drawn(sweep(LONG, finished=0, failed=0, running=2), width, height, ["recipe quick", "head a"])
    alike = "mobilenetv4_conv_aa_large.e230_r448_in12k_ft_in1k loss weight … optim.lr … seed …"
    if width == 100:
        assert lines[0] == f"36 trials, {alike}, head a"  # for the recipe there is no room
    else:  # it has 82 characters
        assert lines[0] == "36 trials"
        assert lines[1] == alike[:40] + "…" + alike[-39:]
    names = [cells(line)[0] for line in lines if re.search("  (running|waiting) ", line)]
    assert names[:5] == ["0.02 1e-3 0", "0.02 1e-3 1", "0.02 1e-3 2", "0.02 1e-3 3", "0.02 3e-3 0"]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_columns_give_way_to_names_and_names_are_cut_in_the_middle(width: int, height: int) -> None:
    labels = [f"{letter * 20}_{'z' * 40}" for letter in "abc"]
    _, titles, *rows, _ = drawn(sweep(labels, finished=0, failed=0, running=3), width, height)
    assert cells(titles)[-2:] == ["memory", "time left"] if width == 100 else ["val ADD(-S)", "time left"]
    names = [cells(row)[0] for row in rows]
    assert [name[0] for name in names] == ["a", "b", "c"]
    assert all("…" in name and name.endswith("zzzz") and len(name) >= 28 for name in names)
    _, titles, *rows, _ = drawn(sweep(labels, finished=0, failed=0, running=3), 140, height)
    assert [cells(row)[0] for row in rows] == labels
    assert len(cells(titles)) == 8


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("running", [26, 30, 36])
def test_more_running_trials_than_lines_stand_side_by_side(width: int, height: int, running: int) -> None:
    lines = drawn(sweep(LABELS, finished=36 - running, failed=0, running=running), width, height)
    text = "\n".join(lines)
    for label in LABELS[36 - running :]:
        short = label.removeprefix("hrnet_").replace("seed ", "")
        assert len(re.findall(rf"(^| ){short} +3\.4/20", text, re.MULTILINE)) == 1, short
    assert lines[-1].startswith(f"{36 - running} of 36 finished, {running} running; ")
    assert lines[-1].endswith(" left")


def test_few_trials_stay_in_their_order() -> None:
    state = sweep(["a", "b", "c", "d"], finished=1, failed=0, running=1)
    heading, _, *rows, whole = drawn(state, 80, 24)
    assert heading == "4 trials"
    assert [cells(row)[:2] for row in rows] == [
        ["a", "finished"],
        ["b", "running"],
        ["c", "waiting"],
        ["d", "waiting"],
    ]
    assert cells(rows[0])[-1] == "-"  # of time
    assert whole == "1 of 4 finished, 1 running, 2 waiting; 20 h 54 min left"


def test_until_a_trial_says_something_the_line_of_the_whole_tells_what_is_done() -> None:
    state = SweepState(dict.fromkeys(LABELS, 20), {}, {}, at_once=2)
    assert drawn(state, 80, 24)[-1][2:] == "0 of 36 finished, 36 waiting; loading torch and networks"
    state.trials[LABELS[0]].start()
    lines = drawn(state, 80, 24)
    assert cells(lines[2])[:3] == ["w18 0", "starting", "0/20"]
    assert lines[-1][2:] == "0 of 36 finished, 1 running, 35 waiting; loading torch and networks"


def test_a_terminal_that_changes_its_size_is_heeded_at_the_next_refresh() -> None:
    table = LiveTable(sweep(LABELS, 24, 1, 2), [])
    heights = []
    for width, height in ((100, 30), (80, 24), (100, 60)):
        console = Console(file=io.StringIO(), width=width, height=height, record=True)
        console.print(table)
        heights.append(len(console.export_text().splitlines()))
    assert heights == [29, 23, 39]  # all 36 with heading, titles and the whole


def test_user_text_is_no_markup() -> None:
    state = sweep(["[bold]a[/x] seed 0", "[/]b seed 1"], finished=0, failed=0, running=1)
    lines: Any = "\n".join(drawn(state, 80, 24, ["recipe [red]"]))
    for text in ("[bold]a[/x]", "[/]b", "recipe [red]"):
        assert text in lines
