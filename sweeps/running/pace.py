"""How long an epoch of a trial will take, measured in its first minute: epochs of the study take longer."""

import time
from collections.abc import Callable

from epropnp.training.callbacks import Callback, Training
from epropnp.training.result import EpochReport, StepReport

WARM_UP = 5  # updates that compile, tune and fill caches
MEASURED_S = 30.0


class Pace(Callback):
    """Tells, once, the seconds that an epoch with its validation will take.

    Trials whose first epoch is over before enough is measured tell nothing: their epochs say it themselves.

    Args:
        tell: receives the seconds.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._start_s, self._validation_s = 0.0, 0.0
        self._updates, self._over = 0, False

    def on_start(self, trainer: Training) -> None:
        """Training begins, with a validation if it is the first time."""
        self._start_s = time.monotonic()

    def on_epoch(self, report: EpochReport) -> None:
        """Before epoch 1 there was nothing but a validation."""
        self._validation_s = time.monotonic() - self._start_s
        self._over = report.epoch > 0

    def on_step(self, report: StepReport) -> None:
        """Measure until it is enough."""
        if self._over:
            return
        now_s = time.monotonic()
        self._updates += 1
        if self._updates == WARM_UP:
            self._start_s = now_s
        elif self._updates > WARM_UP and now_s - self._start_s >= MEASURED_S:
            per_update = (now_s - self._start_s) / (self._updates - WARM_UP)
            self._tell(report.steps * per_update + self._validation_s)
            self._over = True
