"""Progress of a sweep: plain lines, the live table, the estimate of the time left."""

import io
import pickle
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sweeps.running import progress
from sweeps.running.progress import SweepProgress


def _trial(name: str) -> Any:
    return SimpleNamespace(config={"trial": {"name": name}})


def _result(epoch: int) -> dict[str, Any]:
    metrics = {"train/loss": 1.5, "val/add_0.10d": 12.34} if epoch else {"val/add_0.10d": 0.0}
    return {"epoch": epoch, "epochs": 4, "metrics": metrics}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    now = SimpleNamespace(time_s=1000.0)
    monkeypatch.setattr(progress.time, "time", lambda: now.time_s)
    return now


def _sweep(buffer: io.StringIO, terminal: bool) -> SweepProgress:
    console = Console(file=buffer, force_terminal=terminal, width=160)
    return SweepProgress({"a": 4, "b": 4, "c": 4}, kept=["c"], at_once=1, console=console)


def test_plain_lines_where_there_is_no_terminal(clock: Any) -> None:
    buffer = io.StringIO()
    with _sweep(buffer, terminal=False) as sweep:
        sweep.on_trial_start(0, [], _trial("a"))
        for epoch in range(3):
            sweep.on_trial_result(0, [], _trial("a"), _result(epoch))
            clock.time_s += 10.0
        sweep.on_trial_complete(0, [], _trial("a"))
        sweep.on_trial_result(0, [], _trial("b"), {"failed": "diverged"})
    lines = buffer.getvalue().splitlines()
    assert "epoch 2/4  loss 1.5  val ADD(-S) 0.10d 12.3 %  left 20 s  sweep 1 min 00 s" in lines[3]
    assert lines[4].endswith("a  finished")
    assert lines[5].endswith("b  failed: diverged")


def test_estimate_counts_waiting_trials_and_leaves_out_finished_ones(clock: Any) -> None:
    sweep = _sweep(io.StringIO(), terminal=False)
    assert sweep.seconds_left(clock.time_s) is None
    sweep.on_trial_start(0, [], _trial("a"))
    sweep.on_trial_result(0, [], _trial("a"), _result(0))
    clock.time_s += 10.0
    sweep.on_trial_result(0, [], _trial("a"), _result(1))
    assert sweep.seconds_left(clock.time_s) == pytest.approx(30.0 + 40.0)
    sweep.on_trial_complete(0, [], _trial("a"))
    assert sweep.seconds_left(clock.time_s) == pytest.approx(40.0)


def test_live_table_shows_every_trial(clock: Any) -> None:
    buffer = io.StringIO()
    with _sweep(buffer, terminal=True) as sweep:
        sweep.on_trial_start(0, [], _trial("a"))
        sweep.on_trial_result(0, [], _trial("a"), _result(1))
    text = buffer.getvalue()
    for word in ("running", "waiting", "kept", "1/4", "12.3 %"):
        assert word in text


def test_ray_can_store_the_callback() -> None:
    restored = pickle.loads(pickle.dumps(_sweep(io.StringIO(), terminal=False)))
    assert set(restored.trials) == {"a", "b", "c"}
