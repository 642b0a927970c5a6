"""What is known of the trials of a sweep while it runs: how far each is, and how long all will take."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from epropnp.training.record import Status

LOSS_KEY = "train/loss"
ADD_KEY = "val/add_0.10d"
ENDED = ("finished", "kept", "stopped", "failed")
BEFORE = {"finished": "kept", "stopped": "stopped"}  # of trials that were begun before; others wait


@dataclass(eq=False)
class TrialState:
    """What the display knows of one trial; moments are seconds of one clock.

    Attributes:
        name: what it is called.
        epochs: that it will train.
        status: waiting, running, retrying, or how it ended.
        epoch: that is over.
        step, steps: updates of the epoch after that, and how many it has; 0 where nothing is known of it.
        loss: the newest mean that was told.
        add_percent: of the newest validation.
        images_per_s, memory_bytes: of its process.
        reported_s: when the newest epoch ended.
        epoch_seconds: what each took.
        first_s: what an epoch will take, measured within the first.
        ended_s: when it ended.
        doing: of a running one: starting, running, validating or testing.
    """

    name: str
    epochs: int
    status: str = "waiting"
    epoch: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    add_percent: float | None = None
    images_per_s: float | None = None
    memory_bytes: float | None = None
    reported_s: float | None = None
    epoch_seconds: list[float] = field(default_factory=list)
    first_s: float | None = None
    ended_s: float | None = None
    doing: str = "starting"

    @property
    def seconds_per_epoch(self) -> float | None:
        """Median time between reports; before the second one what was measured, or None."""
        return statistics.median(self.epoch_seconds) if self.epoch_seconds else self.first_s

    @property
    def word(self) -> str:
        """Its status, in more detail while it runs."""
        return self.doing if self.status == "running" else self.status

    @property
    def position(self) -> str:
        """Such as `3/20`, and `3.4/20` within an epoch."""
        if not self.step:
            return f"{self.epoch}/{self.epochs}"
        tenths = 10 * self.epoch + 10 * self.step // self.steps  # what is not over is not rounded up
        return f"{tenths // 10}.{tenths % 10}/{self.epochs}"

    def start(self) -> None:
        """Its process begins: of this one nothing is known yet."""
        self.status, self.doing, self.reported_s = "running", "starting", None
        self.step, self.steps, self.images_per_s, self.memory_bytes = 0, 0, None, None

    def go_on(self, progress: Mapping[str, Any]) -> None:
        """Take in what a trial tells within an epoch; see `Listener.stepped`."""
        self.doing = progress["doing"]
        self.steps = progress["steps"]  # first: a display may look at any moment
        self.step = progress["step"]
        self.epoch = progress["epoch"]
        self.loss = progress.get("loss", self.loss)
        self.images_per_s = progress.get("images_per_s", self.images_per_s)
        self.memory_bytes = progress.get("memory_bytes", self.memory_bytes)

    def report(self, result: Mapping[str, Any], now_s: float) -> None:
        """Take in what a trial reported at the end of an epoch."""
        metrics = result["metrics"]
        if self.reported_s is not None and result["epoch"] > self.epoch:
            self.epoch_seconds.append((now_s - self.reported_s) / (result["epoch"] - self.epoch))
        self.reported_s = now_s
        self.epoch, self.epochs, self.step = result["epoch"], result["epochs"], 0
        self.doing = "testing" if self.epoch == self.epochs else "running"
        self.loss = metrics.get(LOSS_KEY, self.loss)
        self.add_percent = metrics.get(ADD_KEY, self.add_percent)

    def end(self, status: Status, now_s: float) -> None:
        """It ended, or waits again."""
        self.status, self.ended_s = status, now_s
        if status == "finished":
            self.epoch, self.step = self.epochs, 0

    def seconds_left(self, now_s: float, usual: float | None) -> float | None:
        """Estimate for this trial; `usual` seconds per epoch serve where it has no own figure."""
        if self.status in ENDED:
            return 0.0
        pace = self.seconds_per_epoch or usual
        if pace is None:
            return None
        since = min(now_s - self.reported_s, pace) if self.reported_s is not None else 0.0
        return max(0.0, (self.epochs - self.epoch) * pace - since)


class SweepState:
    """All trials of a sweep.

    Args:
        epochs: trial name -> epochs that it will train.
        labels: by name, what to call a trial that is not called by its name.
        before: by name, how trials stood that were begun before.
        at_once: how many run at a time.
        total: how many there will be, if more than these.
    """

    def __init__(
        self,
        epochs: Mapping[str, int],
        labels: Mapping[str, str],
        before: Mapping[str, Status],
        at_once: int,
        total: int = 0,
    ) -> None:
        self._total = total
        self.trials = {name: TrialState(labels.get(name, name), count) for name, count in epochs.items()}
        for name, status in before.items():
            state = self.trials[name]
            state.status = BEFORE.get(status, "waiting")
            state.epoch = state.epochs if status == "finished" else state.epoch
        self.at_once = at_once

    def add(self, name: str, label: str, epochs: int) -> None:
        """One more trial."""
        self.trials = self.trials | {name: TrialState(label, epochs)}  # anew: a display looks at any time

    @property
    def total(self) -> int:
        """How many trials there will be, as far as one knows."""
        return max(self._total, len(self.trials))

    @property
    def heard(self) -> bool:
        """Whether a trial of this call has said anything."""
        states = self.trials.values()
        return any(s.ended_s is not None or (s.status == "running" and s.doing != "starting") for s in states)

    @property
    def usual(self) -> float | None:
        """Seconds of an epoch, as the mean of the trials that have a figure; None before there is one."""
        paces = [s for state in self.trials.values() if (s := state.seconds_per_epoch)]
        return statistics.mean(paces) if paces else None

    def seconds_left(self, now_s: float) -> float | None:
        """Estimate for the whole sweep; None before any trial has ended an epoch."""
        usual = self.usual
        if usual is None:
            return None
        left = [state.seconds_left(now_s, usual) or 0.0 for state in self.trials.values()]
        epochs = statistics.mean(state.epochs for state in self.trials.values())
        left += [epochs * usual] * (self.total - len(self.trials))
        return max(sum(left) / self.at_once, max(left))

    @property
    def counts(self) -> str:
        """How many stand how, such as `12 of 36 finished, 1 failed, 2 running, 21 waiting`."""
        return ", ".join(counted(list(self.trials.values()), self.total))


def counted(states: Sequence[TrialState], of: int | None = None) -> list[str]:
    """How many of these trials stand how, in a few words each.

    Args:
        states: of the trials.
        of: of how many in all; the finished ones are told then even if there are none.
    """
    words = ["finished" if state.status == "kept" else state.status for state in states]
    found = {word: words.count(word) for word in ("failed", "stopped", "running", "retrying", "waiting")}
    told = [f"{count} {word}" for word, count in found.items() if count]
    finished = words.count("finished")
    if of is not None:
        return [f"{finished} of {of} finished", *told]
    return [f"{finished} finished", *told] if finished else told
