"""The progress of a trial as it is shown: where it goes on, scores, the time that is left, a running loss."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rich.console import Console

from epropnp.training import progress as progress_module
from epropnp.training.progress import TrialProgress
from epropnp.training.result import EpochReport, StepReport

EPOCHS, UPDATES = 5, 4


class Watch:
    """The time, which only a test moves."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch = Watch()
    monkeypatch.setattr(progress_module, "time", watch)
    return watch


def metrics(add: float, degrees: float, **others: float) -> dict[str, float]:
    return {"val/add_0.10d": add, "val/5deg5cm": degrees, **others}


def trainer_at(epoch: int, step: int = 0) -> Any:
    """As much of a trainer as is shown."""
    history = [metrics(10.0 * i, i) for i in range(epoch + 1)]
    return SimpleNamespace(
        config=SimpleNamespace(optim=SimpleNamespace(epochs=EPOCHS)),
        state=SimpleNamespace(epoch=epoch, step=step, history=history),
        data=SimpleNamespace(steps=UPDATES),
    )


def report(epoch: int, seconds: float, **values: float) -> EpochReport:
    return EpochReport(
        epoch=epoch,
        epochs=EPOCHS,
        metrics=metrics(12.34, 5.67, **values),
        seconds=seconds,
        checkpoint=Path("checkpoint.pt"),
    )


def said(epoch: int, step: int = 0) -> tuple[TrialProgress, io.StringIO]:
    """A display in a file, of a trial that starts at some place."""
    text = io.StringIO()
    progress = TrialProgress(Console(file=text, width=200))
    progress.on_start(trainer_at(epoch, step))
    return progress, text


@pytest.mark.parametrize(
    ("epoch", "step", "line"),
    [
        (-1, 0, ""),
        (0, 0, "continuing from epoch 0 of 5, which is finished\n"),
        (3, 0, "continuing from epoch 3 of 5, which is finished\n"),
        (3, 2, "continuing from epoch 4 of 5 (update 2 of 4)\n"),
    ],
)
def test_where_a_trial_goes_on_is_said(epoch: int, step: int, line: str, watch: Watch) -> None:
    assert said(epoch, step)[1].getvalue() == line


@pytest.mark.parametrize(("epoch", "step"), [(1, 0), (1, 2), (-1, 0)])
def test_a_line_per_epoch_has_its_loss_scores_and_the_time_that_is_left(
    epoch: int, step: int, watch: Watch
) -> None:
    progress, text = said(epoch, step)
    done = max(epoch, 0) + step / UPDATES  # epochs that earlier runs have trained
    text.truncate(0)
    text.seek(0)
    watch.now_s += 20 * (2 - done)  # 20 s per epoch
    progress.on_epoch(report(2, 65.4, **{"train/loss": 0.123456}))
    assert text.getvalue() == (
        "epoch 2/5  loss 0.1235  val ADD(-S) 0.10d 12.3  5deg5cm 5.7  time 0:01:05  left 0:01:00\n"
    )


def test_the_epoch_before_training_has_neither_loss_nor_pace(watch: Watch) -> None:
    progress, text = said(-1)
    progress.on_epoch(report(0, 3.0))
    assert text.getvalue() == "epoch 0/5  val ADD(-S) 0.10d 12.3  5deg5cm 5.7  time 0:00:03\n"


def step(epoch: int, number: int, loss: float, skipped: int = 0) -> StepReport:
    return StepReport(epoch=epoch, step=number, steps=UPDATES, loss=torch.tensor(loss), skipped=skipped)


def test_a_terminal_gets_a_bar_with_a_running_loss(watch: Watch) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120)
    progress = TrialProgress(console)
    progress.on_start(trainer_at(1, 2))
    (task,) = progress._bar.tasks
    assert (task.completed, task.total) == (6, 20)
    assert task.fields["scores"] == "val ADD(-S) 0.10d 10.0  5deg5cm 1.0"
    shown = []
    for number, (loss, waited_s) in enumerate([(10.0, 0.0), (20.0, 0.5), (99.0, 0.4), (float("nan"), 0.1)]):
        watch.now_s += waited_s
        progress.on_step(step(3, number + 1, loss, skipped=number // 3))
        shown.append(task.fields["loss"])
    # A fifth of the way to the newest; 0.4 s later none is read; what is not a number is left out.
    assert shown == ["loss 10", "loss 12", "loss 12", "loss 12 (1 skipped)"]
    assert (task.completed, task.description) == (12, "3/5")


def test_a_file_reads_no_losses(watch: Watch) -> None:
    """Reading one waits for the device."""
    progress, text = said(-1)
    loss: Any = object()
    progress.on_step(StepReport(epoch=1, step=1, steps=UPDATES, loss=loss, skipped=0))
    assert text.getvalue() == ""
