"""What the display says of each of several trials that differ: status, epoch, loss and score of its own."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from sweeps.running import progress
from sweeps.running.progress import SweepProgress

EPOCHS = {"a": 4, "b": 8, "c": 6, "d": 5, "e": 3, "f": 2}


def _trial(name: str) -> Any:
    return SimpleNamespace(config={"trial": {"name": name}})


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
    monkeypatch.setattr(progress.time, "time", lambda: 1000.0)
    monkeypatch.setattr(progress.time, "strftime", lambda _: "12:00:00")
    sweep = SweepProgress(EPOCHS, kept=["d"], at_once=2, console=Console(file=buffer, width=160))
    for name in "abef":
        sweep.on_trial_start(0, [], _trial(name))
    sweep.on_trial_result(0, [], _trial("b"), _result(0, 8, None, 1.25))
    sweep.on_trial_result(0, [], _trial("a"), _result(2, 4, 1.5, 12.34))
    sweep.on_trial_result(0, [], _trial("b"), _result(1, 8, 0.25, 56.78))
    sweep.on_trial_result(0, [], _trial("e"), {"failed": "diverged [at step 3]"})
    sweep.on_trial_complete(0, [], _trial("e"))
    sweep.on_trial_recover(0, [], _trial("f"))
    return sweep


def _rows(sweep: SweepProgress) -> dict[str, list[str]]:
    """The live table without the time left: by trial, status, epoch, loss and score."""
    table = sweep.__rich__().renderables[0]
    assert isinstance(table, Table)
    assert [str(c.header) for c in table.columns][:5] == [
        "trial",
        "status",
        "epoch",
        "loss",
        "val ADD(-S) 0.10d",
    ]
    columns = [[str(cell) for cell in column.cells] for column in table.columns]
    return {name: [column[i] for column in columns[1:5]] for i, name in enumerate(columns[0])}


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
        "12:00:00  b  epoch 1/8  loss 0.25  val ADD(-S) 0.10d 56.8 %",
        "12:00:00  e  failed: diverged [at step 3]",
        "12:00:00  f  broke off; trying again from its checkpoint",
    ]


def test_a_trial_keeps_its_last_loss_and_score_when_it_ends(sweep: SweepProgress) -> None:
    sweep.on_trial_complete(0, [], _trial("b"))
    sweep.on_trial_error(0, [], _trial("f"))
    rows = _rows(sweep)
    assert rows["b"] == ["finished", "8/8", "0.25", "56.8 %"]
    assert rows["f"][0] == "failed"
    assert rows["a"] == ["running", "2/4", "1.5", "12.3 %"]


def test_a_trial_that_is_tried_again_goes_on_from_what_it_reports(sweep: SweepProgress) -> None:
    sweep.on_trial_start(0, [], _trial("f"))
    assert _rows(sweep)["f"][:2] == ["running", "0/2"]
    sweep.on_trial_result(0, [], _trial("f"), _result(1, 2, 3.0, 4.0))
    assert _rows(sweep)["f"] == ["running", "1/2", "3", "4.0 %"]


def test_reports_without_an_epoch_change_nothing(sweep: SweepProgress) -> None:
    before = _rows(sweep)
    sweep.on_trial_result(0, [], _trial("a"), {"done": True})
    assert _rows(sweep) == before
