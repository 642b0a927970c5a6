"""A training's process is told to end: batch systems send SIGTERM, terminals that are closed SIGHUP."""

import signal
from types import FrameType
from typing import Any, Self

from epropnp.training.callbacks import Callback, Training
from epropnp.training.halt import InterruptionError, TerminatedError
from epropnp.training.result import EpochReport, StepReport

TOLD = (signal.SIGTERM, signal.SIGHUP)


class Termination(Callback):
    """While a training runs, the first signal interrupts it after its running update, with a checkpoint.

    The second one, or one before the first update or in the test, when all is written, ends it at once by
    TerminatedError. Signals are heeded within a `with` block; who starts the process may have them ignored.
    """

    def __init__(self) -> None:
        self._training, self._told, self._before = False, 0, dict[int, Any]()

    def __enter__(self) -> Self:
        for number in TOLD:
            if signal.getsignal(number) != signal.SIG_IGN:  # such as by nohup
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *error: object) -> None:
        for number, earlier in self._before.items():
            signal.signal(number, earlier)

    def on_start(self, trainer: Training) -> None:
        self._training = True

    def on_step(self, report: StepReport) -> None:
        self._heed()

    def on_epoch(self, report: EpochReport) -> None:
        self._heed()
        self._training = report.epoch < report.epochs

    def _heed(self) -> None:
        if self._told:
            raise InterruptionError(f"by {signal.Signals(self._told).name}")

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if not self._training or self._told:
            raise TerminatedError(number)
        self._told = number

    @property
    def ended(self) -> TerminatedError:
        """What the signal that was heard comes to."""
        return TerminatedError(self._told)
