"""What the display says of each of several trials that differ: status, epoch, loss and score of its own."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from sweeps.running import progress
from sweeps.running.progress import SweepProgress
from tests.sweeps.told import ended

EPOCHS = {"a": 4, "b": 8, "c": 6, "d": 5, "e": 3, "f": 2}


def _result(epoch: int, epochs: int, loss: float | None, add: float) -> dict[str, Any]:
    losses = {} if loss is None else {"train/loss": loss}
    metrics = {**losses, "val/add_0.10d": add, "val/add_area": 99.0, "train/loss_mc": 77.0}
    return {"epoch": epoch, "epochs": epochs, "metrics": metrics, "earlier": []}


@pytest.fixture
def buffer() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def sweep(buffer: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> SweepProgress:
    """Six trials: one running and one behind it, others waiting, kept, failed and broken off."""
    monkeypatch.setattr(progress.time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(progress.time, "strftime", lambda _: "12:00:00")
    sweep = SweepProgress(
        EPOCHS, labels={}, before={"d": "finished"}, at_once=2, console=Console(file=buffer, width=160)
    )
    for name in "abef":
        sweep.started(name)
    sweep.reported("b", _result(0, 8, None, 1.25))
    sweep.reported("a", _result(2, 4, 1.5, 12.34))
    sweep.reported("b", _result(1, 8, 0.25, 56.78))
    sweep.ended(ended("e", "failed", "diverged [at step 3]"))
    sweep.retried("f")
    return sweep


def _rows(sweep: SweepProgress) -> dict[str, list[str]]:
    """The live table without the time left: by trial, status, epoch, loss and score."""
    text = io.StringIO()
    Console(file=text, width=160, height=40).print(sweep.table)
    _, titles, *rows, _ = (re.split(r"  +", line.strip()) for line in text.getvalue().splitlines())
    assert titles[:5] == ["trial", "status", "epoch", "loss", "val ADD(-S)"]
    return {row[0]: row[1:5] for row in rows}


def test_each_row_of_the_live_table_is_of_its_own_trial(sweep: SweepProgress) -> None:
    rows = _rows(sweep)
    assert list(rows) == list(EPOCHS)
    assert rows == {
        "a": ["running", "2/4", "1.5", "12.3 %"],
        "b": ["running", "1/8", "0.25", "56.8 %"],
        "c": ["waiting", "0/6", "-", "-"],
        "d": ["kept", "5/5", "-", "-"],
        "e": ["failed", "0/3", "-", "-"],
        "f": ["retrying", "0/2", "-", "-"],
    }


def test_each_line_names_its_trial_with_its_epoch_loss_and_score(
    sweep: SweepProgress, buffer: io.StringIO
) -> None:
    lines = [line.partition("  left ")[0] for line in buffer.getvalue().splitlines()]
    assert lines == [
        *(f"12:00:00  {name}  started" for name in "abef"),
        "12:00:00  b  epoch 0/8  val ADD(-S) 0.10d 1.2 %",
        "12:00:00  a  epoch 2/4  loss 1.5  val ADD(-S) 0.10d 12.3 %",
        # b tells no more within this minute
        "12:00:00  e  failed: diverged [at step 3]",
        "12:00:00  f  broke off; trying again from its checkpoint",
    ]


def test_a_trial_keeps_its_last_loss_and_score_when_it_ends(sweep: SweepProgress) -> None:
    sweep.ended(ended("b", "finished"))
    sweep.ended(ended("f", "failed", "its process ended"))
    rows = _rows(sweep)
    assert rows["b"] == ["finished", "8/8", "0.25", "56.8 %"]
    assert rows["f"][0] == "failed"
    assert rows["a"] == ["running", "2/4", "1.5", "12.3 %"]


def test_a_trial_that_is_tried_again_goes_on_from_what_it_reports(sweep: SweepProgress) -> None:
    sweep.started("f")
    assert _rows(sweep)["f"][:2] == ["starting", "0/2"]
    sweep.reported("f", _result(1, 2, 3.0, 4.0))
    assert _rows(sweep)["f"] == ["running", "1/2", "3", "4.0 %"]
