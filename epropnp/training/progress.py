"""Live progress of one trial: a bar over all updates in a terminal, a line per epoch elsewhere."""

import math
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from epropnp.training.callbacks import Callback, Training
from epropnp.training.result import EpochReport, Metrics, StepReport

READ_EVERY_S = 0.5  # reading a loss waits for the device
NEWEST = 0.2  # its share in the running loss
PACE_S = 600.0  # the estimate of the time left looks so far back: epochs and their validation


class TrialProgress(Callback):
    """Callback and context manager: the display ends with the block, whatever ends it.

    Args:
        console: where to show it; a terminal gets a bar, anything else plain lines.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("epoch {task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[scores]}"),
            TimeRemainingColumn(),
            console=console,
            expand=True,
            speed_estimate_period=PACE_S,
            disable=not console.is_terminal,
        )
        self._epochs = 0
        self._scores = ""
        self._loss: float | None = None
        self._read_s = -math.inf
        self._done = 0.0  # epochs trained by earlier runs
        self._start_s = 0.0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def on_start(self, trainer: Training) -> None:
        """Say where it goes on, if it does."""
        self._epochs = trainer.config.optim.epochs
        state, steps = trainer.state, trainer.data.steps
        earlier = max(state.epoch, 0) * steps + state.step
        self._done, self._start_s = earlier / steps, time.monotonic()
        if state.step:
            self._say(
                f"continuing from epoch {state.epoch + 1} of {self._epochs} (update {state.step} of {steps})"
            )
        elif state.epoch >= 0:
            self._say(f"continuing from epoch {state.epoch} of {self._epochs}, which is finished")
        self._scores = _scores(state.history[-1]) if state.history else ""
        total = self._epochs * steps
        self._bar.add_task(
            f"{self._done:.0f}/{self._epochs}", total=total, completed=earlier, loss="", scores=self._scores
        )

    def on_step(self, report: StepReport) -> None:
        """Move the bar; the loss is read now and then only."""
        if not self._console.is_terminal:
            return
        now_s = time.monotonic()
        if now_s - self._read_s >= READ_EVERY_S:
            self._read_s = now_s
            newest = float(report.loss)
            if math.isfinite(newest):
                before = newest if self._loss is None else self._loss
                self._loss = before + NEWEST * (newest - before)
        loss = "" if self._loss is None else f"loss {self._loss:.4g}"
        skipped = f" ({report.skipped} skipped)" if report.skipped else ""
        self._bar.update(
            self._bar.task_ids[0],
            description=f"{report.epoch}/{self._epochs}",
            completed=(report.epoch - 1) * report.steps + report.step,
            loss=loss + skipped,
            scores=self._scores,
        )

    def on_epoch(self, report: EpochReport) -> None:
        """Show the scores; outside a terminal, a line with them and the time left."""
        self._scores = _scores(report.metrics)
        if self._console.is_terminal:
            return
        parts = [f"epoch {report.epoch}/{report.epochs}"]
        if "train/loss" in report.metrics:
            parts.append(f"loss {report.metrics['train/loss']:.4g}")
        parts += [self._scores, f"time {_clock(report.seconds)}"]
        if report.epoch > self._done:
            pace_s = (time.monotonic() - self._start_s) / (report.epoch - self._done)
            parts.append(f"left {_clock(pace_s * (report.epochs - report.epoch))}")
        self._say("  ".join(parts))

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _scores(metrics: Metrics) -> str:
    return f"val ADD(-S) 0.10d {metrics['val/add_0.10d']:.1f}  5deg5cm {metrics['val/5deg5cm']:.1f}"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
