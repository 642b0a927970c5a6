"""Progress of a sweep: plain lines, the live table, the estimate of the time left."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from epropnp.training.record import Status
from epropnp.training.result import TrialResult
from sweeps.running import progress
from sweeps.running.progress import SweepProgress
from tests.sweeps.told import ended


def _result(epoch: int) -> dict[str, Any]:
    metrics = {"train/loss": 1.5, "val/add_0.10d": 12.34} if epoch else {"val/add_0.10d": 0.0}
    return {"epoch": epoch, "epochs": 4, "metrics": metrics}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = SimpleNamespace(time_s=1000.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.time_s)
    monkeypatch.setattr(progress.time, "time", lambda: now.time_s)
    return now


def _sweep(buffer: io.StringIO, terminal: bool) -> SweepProgress:
    console = Console(file=buffer, force_terminal=terminal, width=160)
    return SweepProgress(
        {"a": 4, "b": 4, "c": 4}, labels={}, before={"c": "finished"}, at_once=1, console=console
    )


def test_plain_lines_where_there_is_no_terminal(clock: Any) -> None:
    buffer = io.StringIO()
    with _sweep(buffer, terminal=False) as sweep:
        sweep.started("a")
        for epoch in range(3):
            sweep.reported("a", _result(epoch))
            clock.time_s += 60.0
        sweep.ended(ended("a", "finished"))
        sweep.ended(ended("b", "failed", "diverged"))
    lines = buffer.getvalue().splitlines()
    assert lines[0] == "trials: loading (importing torch, building networks)"
    assert "epoch 2/4  loss 1.5  val ADD(-S) 0.10d 12.3 %  left 2 min 00 s  sweep 6 min 00 s" in lines[4]
    assert lines[5].endswith("a  finished  loss 1.5  val ADD(-S) 0.10d 12.3 %")
    assert lines[6].endswith("b  failed: diverged")
    assert len(lines) == 7


def test_estimate_counts_waiting_trials_and_leaves_out_finished_ones(clock: Any) -> None:
    sweep = _sweep(io.StringIO(), terminal=False)
    assert sweep.state.seconds_left(clock.time_s) is None
    sweep.started("a")
    sweep.reported("a", _result(0))
    clock.time_s += 10.0
    sweep.reported("a", _result(1))
    assert sweep.state.seconds_left(clock.time_s) == pytest.approx(30.0 + 40.0)
    sweep.ended(ended("a", "finished"))
    assert sweep.state.seconds_left(clock.time_s) == pytest.approx(40.0)


@pytest.mark.parametrize("terminal", [False, True])
def test_the_time_of_a_whole_sweep_is_said_within_its_first_epoch(
    clock: Any, monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    """Of 3 trials of 4 epochs one is done: 8 epochs of 85 s are left, less what went by since the report."""
    monkeypatch.setattr(progress.time, "localtime", lambda s: ("at", s))
    monkeypatch.setattr(progress.time, "strftime", lambda form, when=None: f"{when}")
    buffer = io.StringIO()
    sweep = _sweep(buffer, terminal=terminal)
    sweep.started("a")
    sweep.reported("a", _result(0))
    clock.time_s += 45.0
    sweep.paced("a", 85.0)
    (line,) = (line for line in buffer.getvalue().splitlines() if "measured" in line)
    assert line.startswith("measured: an epoch of a takes 1 min 25 s. If the other trials are like it, the ")
    assert line.endswith(f"the sweep takes 10 min 35 s, until ('at', {clock.time_s + 635.0})")
    sweep.started("b")
    sweep.reported("b", _result(0))
    sweep.paced("b", 10.0)
    assert buffer.getvalue().count("measured") == 1
    assert sweep.state.seconds_left(clock.time_s) == pytest.approx(4 * 85.0 - 45.0 + 4 * 10.0)
    clock.time_s += 5.0
    sweep.reported("a", _result(1))  # what an epoch took counts more
    assert sweep.state.seconds_left(clock.time_s) == pytest.approx(3 * 50.0 + 4 * 10.0 - 5.0)


def test_live_table_shows_every_trial(clock: Any) -> None:
    buffer = io.StringIO()
    with _sweep(buffer, terminal=True) as sweep:
        sweep.started("a")
        sweep.reported("a", _result(1))
    text = buffer.getvalue()
    for word in ("running", "waiting", "kept", "1/4", "12.3 %", "1 of 3 finished, 1 running, 1 waiting"):
        assert word in text


@pytest.mark.parametrize(
    ("before", "word", "epoch", "left_s"),
    [
        ("finished", "kept", 4, 70.0),
        ("stopped", "stopped", 0, 70.0),
        ("failed", "waiting", 0, 110.0),  # it will be tried again
        ("waiting", "waiting", 0, 110.0),
        ("running", "waiting", 0, 110.0),
    ],
)
def test_trials_that_were_begun_before_stand_as_their_folders_tell(
    clock: Any, before: Status, word: str, epoch: int, left_s: float
) -> None:
    console = Console(file=io.StringIO(), width=160)
    sweep = SweepProgress(
        {"a": 4, "b": 4, "c": 4}, labels={}, before={"c": before}, at_once=1, console=console
    )
    state = sweep.state.trials["c"]
    assert (state.status, state.epoch) == (word, epoch)
    assert sweep.state.trials["b"].status == "waiting"
    sweep.started("a")
    sweep.reported("a", _result(0))
    clock.time_s += 10.0
    sweep.reported("a", _result(1))
    assert sweep.state.seconds_left(clock.time_s) == pytest.approx(left_s)
    console.print(sweep.table)  # each status has a style


@pytest.mark.parametrize(
    ("status", "reason", "line", "left_s"),
    [
        ("stopped", "too slow", "a  stopped: too slow", 40.0),
        ("failed", "diverged [at step 3]", "a  failed: diverged [at step 3]", 40.0),
        ("finished", None, "a  finished  loss 1.5  val ADD(-S) 0.10d 12.3 %", 40.0),
        ("waiting", "interrupted after epoch 1, with its sweep", None, 70.0),
        ("running", None, "a  running", 70.0),  # by another process
    ],
)
def test_an_end_is_told_with_its_reason_and_counts_in_the_estimate(
    clock: Any, status: Status, reason: str | None, line: str | None, left_s: float
) -> None:
    buffer = io.StringIO()
    sweep = _sweep(buffer, terminal=False)
    sweep.started("a")
    sweep.reported("a", _result(0))
    clock.time_s += 10.0
    sweep.reported("a", _result(1))
    sweep.ended(ended("a", status, reason))
    told = buffer.getvalue().splitlines()[-1].partition("  ")[2]
    assert told == (line or f"a  {status}: {reason}")
    assert sweep.state.seconds_left(clock.time_s) == pytest.approx(left_s)
    assert sweep.state.trials["a"].epoch == (4 if status == "finished" else 1)
    Console(file=io.StringIO()).print(sweep.table)


def test_a_trial_is_called_by_its_label_and_its_folder_is_named_once(clock: Any) -> None:
    buffer = io.StringIO()
    console = Console(file=buffer, width=160)
    sweep = SweepProgress(
        {"a": 4, "b": 4}, labels={"a": "lr 1", "b": "b"}, before={}, at_once=1, console=console
    )
    sweep.started("a")
    sweep.reported("a", _result(0))
    sweep.started("b")
    told = [line.partition("  ")[2] for line in buffer.getvalue().splitlines()]
    assert told[0] == "lr 1  started in a"
    assert told[1].startswith("lr 1  epoch 0/4")
    assert told[2] == "b  started"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_looks_like_markup_is_shown_as_it_is(terminal: bool) -> None:
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=terminal, width=160, color_system=None)
    labels = {"a": "[bold]a[/x]", "b": "[/]b"}
    sweep = SweepProgress(
        {"a": 4, "b": 4}, labels, before={}, at_once=1, console=console, shared=["[/red] all"]
    )
    with sweep:
        sweep.started("a")
        sweep.ended(ended("b", "failed", "no [/x] in [bold]b"))
    shown = buffer.getvalue()
    assert "[bold]a[/x]" in shown
    assert "[/]b" in shown
    assert "failed: no [/x] in [bold]b" in shown
    assert not terminal or "[/red] all" in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_a_finished_trial_is_told_with_its_test_score_once(
    clock: Any, result: TrialResult, terminal: bool
) -> None:
    buffer = io.StringIO()
    with _sweep(buffer, terminal=terminal) as sweep:
        sweep.started("a")
        sweep.reported("a", _result(1))
        sweep.ended(ended("a", "finished", result=result))
    told = f"test ADD(-S) 0.10d {result.test['add_0.10d']:.1f} %, ADD(-S) area"
    (line,) = (line for line in buffer.getvalue().splitlines() if told in line)
    assert "  a  finished  loss 1.5  val ADD(-S) 0.10d 12.3 %  " in line


def test_a_terminal_says_why_a_trial_failed_above_its_table(clock: Any) -> None:
    buffer = io.StringIO()
    with _sweep(buffer, terminal=True) as sweep:
        sweep.started("a")
        sweep.ended(ended("a", "failed", "diverged"))
        sweep.ended(ended("b", "stopped", "by hand"))
        sweep.retried("a")
    text = buffer.getvalue()
    for told in ("a  failed: diverged", "b  stopped: by hand", "a  broke off; trying again"):
        assert text.count(told) == 1
    assert "started" not in text


def test_a_terminal_that_cannot_go_back_gets_lines(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    buffer = io.StringIO()
    with _sweep(buffer, terminal=True) as sweep:
        sweep.started("a")
    assert [line.rpartition("  ")[2] for line in buffer.getvalue().splitlines()[1:]] == ["started"]
