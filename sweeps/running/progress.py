"""Live progress of a sweep in the driver: a table in a terminal, plain lines elsewhere."""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from epropnp.training.record import Status
from sweeps.trial import Trial

LOSS_KEY = "train/loss"
ADD_KEY = "val/add_0.10d"


@dataclass
class TrialState:
    """What the display knows of one trial."""

    name: str
    epochs: int
    status: str = "waiting"
    epoch: int = 0
    loss: float | None = None
    add_percent: float | None = None
    started_s: float | None = None
    reported_s: float | None = None  # time of the newest report
    epoch_seconds: list[float] = field(default_factory=list)
    first_s: float | None = None  # what an epoch will take, measured within the first

    @property
    def seconds_per_epoch(self) -> float | None:
        """Median time between reports; before the second one what was measured, or None."""
        return statistics.median(self.epoch_seconds) if self.epoch_seconds else self.first_s

    def report(self, result: dict[str, Any], now_s: float) -> None:
        """Take in what a trial reported at the end of an epoch."""
        metrics = result["metrics"]
        if self.reported_s is not None and result["epoch"] > self.epoch:
            self.epoch_seconds.append((now_s - self.reported_s) / (result["epoch"] - self.epoch))
        self.reported_s = now_s
        self.epoch, self.epochs = result["epoch"], result["epochs"]
        self.loss = metrics.get(LOSS_KEY, self.loss)
        self.add_percent = metrics.get(ADD_KEY, self.add_percent)

    def seconds_left(self, now_s: float, usual: float | None) -> float | None:
        """Estimate for this trial; `usual` seconds per epoch serve where it has no own figure."""
        if self.status in ENDED:
            return 0.0
        pace = self.seconds_per_epoch or usual
        if pace is None:
            return None
        since = min(now_s - self.reported_s, pace) if self.reported_s else 0.0
        return max(0.0, (self.epochs - self.epoch) * pace - since)


class SweepProgress:
    """Listener and context manager that shows where each trial is.

    Args:
        epochs: trial name -> epochs that it will train.
        labels: by name, what to call a trial that is not called by its name.
        before: by name, how trials stood that were begun before.
        at_once: how many run at a time, for the estimate of the whole.
        console: where to show it; a terminal gets a live table, anything else plain lines.
    """

    def __init__(
        self,
        epochs: Mapping[str, int],
        labels: Mapping[str, str],
        before: Mapping[str, Status],
        at_once: int,
        console: Console,
    ) -> None:
        self.trials = {name: TrialState(labels.get(name, name), count) for name, count in epochs.items()}
        for name, status in before.items():
            state = self.trials[name]
            state.status = {"finished": "kept", "stopped": "stopped"}.get(status, "waiting")
            state.epoch = state.epochs if status == "finished" else state.epoch
        self.at_once = at_once
        self._console = console
        self._live = console.is_terminal
        self._display: Live | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._display = Live(self, console=self._console, refresh_per_second=2)
            self._display.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._display:
            self._display.stop()

    def started(self, trial: str) -> None:
        """A trial's process begins, for the first time or after a failure."""
        state = self.trials[trial]
        state.status, state.started_s, state.reported_s = "running", time.time(), None
        self._line(state, "started" if state.name == trial else f"started in {trial}")

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """An epoch ended."""
        state = self.trials[trial]
        state.report(report, time.time())
        self._line(state, self._epoch_text(state))

    def paced(self, trial: str, seconds_per_epoch: float) -> None:
        """The first epoch of a trial is under way; of the sweep's first such trial, say what it means."""
        first = not any(state.seconds_per_epoch for state in self.trials.values())
        state, now_s = self.trials[trial], time.time()
        state.first_s = seconds_per_epoch
        if first:
            left_s = self.seconds_left(now_s)
            end = time.strftime("%a %d %b %H:%M", time.localtime(now_s + (left_s or 0.0)))
            self._console.print(
                f"measured: an epoch of {state.name} takes {_duration(seconds_per_epoch)}. If the other "
                f"trials are like it, the sweep takes {_duration(left_s)}, until {end}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def retried(self, trial: str) -> None:
        """A trial broke and will be tried again."""
        self.trials[trial].status = "retrying"
        self._line(self.trials[trial], "broke off; trying again from its checkpoint")

    def ended(self, trial: Trial) -> None:
        """A trial finished, failed, was stopped, or was interrupted and waits."""
        state = self.trials[trial.name]
        state.status = trial.status
        if trial.status == "finished":
            state.epoch = state.epochs
        self._line(state, trial.status + (f": {trial.reason}" if trial.reason else ""))

    def seconds_left(self, now_s: float) -> float | None:
        """Estimate for the whole sweep; None before any trial has ended an epoch."""
        paces = [s for state in self.trials.values() if (s := state.seconds_per_epoch)]
        if not paces:
            return None
        usual = statistics.mean(paces)
        left = [state.seconds_left(now_s, usual) or 0.0 for state in self.trials.values()]
        return max(sum(left) / self.at_once, max(left))

    def __rich__(self) -> Group:
        """The live table; rich calls this from its refresh thread."""
        now_s = time.time()
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("trial", "status"):
            table.add_column(title)
        for title in ("epoch", "loss", "val ADD(-S) 0.10d", "time left"):
            table.add_column(title, justify="right")
        for state in list(self.trials.values()):
            table.add_row(
                Text(state.name),  # a string may be taken for markup
                Text(state.status, style=_STYLES[state.status]),
                f"{state.epoch}/{state.epochs}",
                "-" if state.loss is None else f"{state.loss:.4g}",
                "-" if state.add_percent is None else f"{state.add_percent:.1f} %",
                _duration(state.seconds_left(now_s, None)),
            )
        return Group(table, Text(f"sweep: {_duration(self.seconds_left(now_s))} left"))

    def _epoch_text(self, state: TrialState) -> str:
        parts = [f"epoch {state.epoch}/{state.epochs}"]
        if state.loss is not None:
            parts.append(f"loss {state.loss:.4g}")
        if state.add_percent is not None:
            parts.append(f"val ADD(-S) 0.10d {state.add_percent:.1f} %")
        now_s = time.time()
        parts.append(f"left {_duration(state.seconds_left(now_s, None))}")
        parts.append(f"sweep {_duration(self.seconds_left(now_s))}")
        return "  ".join(parts)

    def _line(self, state: TrialState, text: str) -> None:
        if not self._live:
            stamp = time.strftime("%H:%M:%S")
            self._console.print(
                f"{stamp}  {state.name}  {text}", markup=False, highlight=False, soft_wrap=True
            )


_STYLES = {
    "waiting": "dim",
    "running": "bold cyan",
    "retrying": "yellow",
    "finished": "green",
    "kept": "green",
    "stopped": "yellow",
    "failed": "bold red",
}
ENDED = ("finished", "kept", "stopped", "failed")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
