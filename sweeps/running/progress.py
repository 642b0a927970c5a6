"""Live progress of a sweep in the driver: a table in a terminal, plain lines elsewhere."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live

from epropnp.training.record import Status
from sweeps.results.read import drawn_label
from sweeps.running.figures import duration
from sweeps.running.lines import Lines
from sweeps.running.listener import Listener
from sweeps.running.live_table import LiveTable
from sweeps.running.states import ENDED, SweepState
from sweeps.running.waiting import is_live
from sweeps.search.search import Planned
from sweeps.trial import Trial

LOADING = "trials: loading (importing torch, building networks)"


class SweepProgress(Listener):
    """Listener and context manager that shows where each trial is.

    Args:
        epochs: trial name -> epochs that it will train.
        labels: by name, what to call a trial that is not called by its name.
        before: by name, how trials stood that were begun before.
        at_once: how many run at a time, for the estimate of the whole.
        console: where to show it; a terminal gets a live table, anything else plain lines.
        shared: what all trials have in common, in a few words each.
        total: how many trials there will be, if more than are known.
    """

    def __init__(
        self,
        epochs: Mapping[str, int],
        labels: Mapping[str, str],
        before: Mapping[str, Status],
        at_once: int,
        console: Console,
        shared: Sequence[str] = (),
        total: int = 0,
    ) -> None:
        self.state = SweepState(epochs, labels, before, at_once, total)
        self.table = LiveTable(self.state, shared)
        self._lines = Lines(self.state, console, time.monotonic())
        self._console, self._is_live = console, is_live(console)
        self._display: Live | None = None

    def __enter__(self) -> Self:
        if self._is_live:
            self._display = Live(self.table, console=self._console, refresh_per_second=2)
            self._display.start()
        else:
            self._say(LOADING)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._display:
            self._display.stop()

    def asked(self, trial: Planned) -> None:
        """There is one more, if a search has drawn it just now."""
        if trial.name not in self.state.trials:
            self.state.add(trial.name, drawn_label(trial), trial.config.optim.epochs)

    def started(self, trial: str) -> None:
        """A trial's process begins, for the first time or after a failure."""
        state = self.state.trials[trial]
        state.start()
        if not self._is_live:
            self._lines.tell(state, "started" if state.name == trial else f"started in {trial}")

    def stepped(self, trial: str, progress: Mapping[str, Any]) -> None:
        """A trial came further within an epoch."""
        self.state.trials[trial].go_on(progress)
        self._progress(trial)

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """An epoch ended."""
        self.state.trials[trial].report(report, time.monotonic())
        self._progress(trial)

    def paced(self, trial: str, seconds_per_epoch: float) -> None:
        """The first epoch of a trial is under way; of the sweep's first such trial, say what it means."""
        first = not any(state.seconds_per_epoch for state in self.state.trials.values())
        state = self.state.trials[trial]
        state.first_s = seconds_per_epoch
        if first:
            left_s = self.state.seconds_left(time.monotonic())
            end = time.strftime("%a %d %b %H:%M", time.localtime(time.time() + (left_s or 0.0)))
            self._say(
                f"measured: an epoch of {state.name} takes {duration(seconds_per_epoch)}. If the other "
                f"trials are like it, the sweep takes {duration(left_s)}, until {end}"
            )

    def retried(self, trial: str) -> None:
        """A trial broke and will be tried again."""
        state = self.state.trials[trial]
        state.status = "retrying"
        self._lines.tell(state, "broke off; trying again from its checkpoint")

    def ended(self, trial: Trial) -> None:
        """A trial finished, failed, was stopped, or was interrupted and waits."""
        state = self.state.trials[trial.name]
        state.end(trial.status, time.monotonic())
        if not self._is_live or trial.status in ENDED:  # the table has no room for reasons and tests
            self._lines.ended(state, trial.reason, trial.result.test if trial.result else None)

    def _progress(self, trial: str) -> None:
        if not self._is_live:
            self._lines.progress(trial, time.monotonic())

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=not self._is_live)
