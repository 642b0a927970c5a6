"""Progress of a sweep in plain lines, for a file or a pipe: few, however many trials and epochs there are."""

import contextlib
import math
import time

from rich.console import Console

from epropnp.training.result import Metrics
from sweeps.results.tables import SCORES
from sweeps.running.figures import duration, loss, memory, percent, rate
from sweeps.running.states import SweepState, TrialState
from sweeps.running.waiting import is_live

EVERY_S = 60.0  # between two lines of how far a trial is, or all are
TESTED = {title: SCORES[title] for title in ("ADD(-S) 0.10d", "ADD(-S) area", "5deg5cm")}
MANY = 20  # trials, above which one line tells of all


class Lines:
    """Writes a line for whatever happens to a trial, and now and then one on how far it is.

    Args:
        state: of the sweep.
        console: where to.
        now_s: the time, by the clock that all times here are of.
    """

    def __init__(self, state: SweepState, console: Console, now_s: float) -> None:
        self._state, self._console = state, console
        self._soft = not is_live(console)  # there a line that is too long would tear the table
        self._told_s: dict[str, float] = {}  # by trial
        self._summed_s = now_s

    def tell(self, trial: TrialState, text: str) -> None:
        """What happened to a trial."""
        self._print(f"{trial.name}  {text}")

    def progress(self, trial: str, now_s: float) -> None:
        """A trial came further: a line of it, or of all, if the last one is old enough."""
        if len(self._state.trials) > MANY:
            if now_s - self._summed_s >= EVERY_S:
                self._summed_s = now_s
                self._print(f"{self._state.counts}; {duration(self._state.seconds_left(now_s))} left")
        elif now_s - self._told_s.get(trial, -math.inf) >= EVERY_S:
            self._told_s[trial] = now_s
            state = self._state.trials[trial]
            self.tell(state, "  ".join((*self._figures(state), *self._left(state, now_s))))

    def ended(self, trial: TrialState, reason: str | None, test: Metrics | None) -> None:
        """How a trial ended, and what it had come to; `test` holds its scores in percent, if it has any."""
        told = [trial.status + (f": {reason}" if reason else "")]
        if trial.status == "finished":
            told += _scores(trial)
        if test is not None:
            told.append(_tested(test))
        self.tell(trial, "  ".join(told))

    def _figures(self, state: TrialState) -> list[str]:
        parts = [f"epoch {state.position}", *_scores(state)]
        if state.doing in ("validating", "testing"):
            parts.insert(1, state.doing)
        if state.step and state.images_per_s is not None:
            parts.append(f"{rate(state.images_per_s)} images/s")
        if state.memory_bytes is not None:
            parts.append(memory(state.memory_bytes))
        return parts

    def _left(self, state: TrialState, now_s: float) -> list[str]:
        whole = duration(self._state.seconds_left(now_s))
        return [f"left {duration(state.seconds_left(now_s, self._state.usual))}", f"sweep {whole}"]

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a pipe that was closed
            stamp = time.strftime("%H:%M:%S")
            self._console.print(f"{stamp}  {text}", markup=False, highlight=False, soft_wrap=self._soft)


def _scores(state: TrialState) -> list[str]:
    parts = []
    if state.loss is not None:
        parts.append(f"loss {loss(state.loss)}")
    if state.add_percent is not None:
        parts.append(f"val ADD(-S) 0.10d {percent(state.add_percent)}")
    return parts


def _tested(test: Metrics) -> str:
    return "test " + ", ".join(f"{title} {percent(test[key])}" for title, key in TESTED.items())
