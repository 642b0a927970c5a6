"""How far a trial is within an epoch, how fast, and with how much memory: told every few seconds."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from epropnp.training.callbacks import Callback, Training
from epropnp.training.result import EpochReport, StepReport

EVERY_S = 2.0  # at most so often: each time waits for the device, and for Ray
STATM = Path("/proc/self/statm")  # of Linux: sizes of this process in pages, the resident one second


class Steps(Callback):
    """Tells, at most every two seconds, what `Listener.stepped` hears.

    Args:
        tell: receives it.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._images = 0  # of an update
        self._epoch, self._steps, self._step = 0, 0, 0
        self._testing = False
        self._told_s = self._since_s = time.monotonic()
        self._updates = 0  # since then
        self._loss: Tensor | None = None  # their sum; stays on the device

    def on_start(self, trainer: Training) -> None:
        """Training begins, or only the test is left."""
        config, state = trainer.config, trainer.state
        self._images, self._steps = config.optim.batch_size, trainer.data.steps
        self._epoch, self._step = max(state.epoch, 0), state.step
        self._testing = state.epoch == config.optim.epochs
        self._told_s = self._since_s = time.monotonic()
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()  # an earlier trial of this process had a peak of its own

    def on_step(self, report: StepReport) -> None:
        """Tell of updates, as the mean of those since the last time."""
        self._epoch, self._step, self._steps = report.epoch - 1, report.step, report.steps
        self._updates += 1
        loss = report.loss.detach()
        self._loss = loss if self._loss is None else self._loss + loss
        now_s = time.monotonic()
        if now_s - self._told_s < EVERY_S:
            return
        told = {"images_per_s": self._updates * self._images / (now_s - self._since_s)}
        mean = float(self._loss) / self._updates
        if math.isfinite(mean):
            told["loss"] = mean
        self._send(now_s, "running", told)

    def on_scored(self) -> None:
        """Tell that it validates, or tests."""
        now_s = time.monotonic()
        if now_s - self._told_s >= EVERY_S:
            self._send(now_s, "testing" if self._testing else "validating", {})

    def on_epoch(self, report: EpochReport) -> None:
        """Updates are counted from here on: a validation is none of their time."""
        self._epoch, self._step = report.epoch, 0
        self._testing = report.epoch == report.epochs
        self._since_s, self._updates, self._loss = time.monotonic(), 0, None

    def _send(self, now_s: float, doing: str, told: dict[str, float]) -> None:
        memory = memory_bytes()
        self._tell(
            doing=doing,
            epoch=self._epoch,
            step=self._step,
            steps=self._steps,
            **told,
            **({} if memory is None else {"memory_bytes": memory}),
        )
        self._told_s = self._since_s = time.monotonic()
        self._updates, self._loss = 0, None


def memory_bytes() -> int | None:
    """What this process has reserved on its GPU at most; without one what it has in main memory now."""
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_reserved()
    try:
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):  # not on Linux
        return None
