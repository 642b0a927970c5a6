"""The log of a training, `trial.log` in its folder: where it ran, its epochs, warnings, and how it ended."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from epropnp.training.result import Metrics

LOG_FILE = "trial.log"
WARNED = ("epropnp", "sweeps")  # whose warnings are a training's
TOLD = ("train/loss", "val/add_0.10d", "val/add_area", "val/5deg5cm", "time/seconds")  # `status.json` has all


class TrialLog:
    """Appends to the file, once there is something to say. That it cannot be written disturbs nothing.

    Args:
        folder: of the training.
    """

    def __init__(self, folder: Path) -> None:
        self._handler = _Silent(folder / LOG_FILE, encoding="utf-8", delay=True)
        self._handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
        self._epochs = 0  # that were told of

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Keeps what is warned of meanwhile."""
        loggers = [logging.getLogger(name) for name in WARNED]
        for logger in loggers:
            logger.addHandler(self._handler)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeHandler(self._handler)
            self._handler.close()

    def say(self, text: str) -> None:
        """One entry."""
        self._handler.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO}))

    def tell(self, history: Sequence[Metrics]) -> None:
        """The epochs that came since the last call."""
        for epoch, metrics in list(enumerate(history))[self._epochs :]:
            told = [f"{name} {metrics[name]:.6g}" for name in TOLD if name in metrics]
            self.say(f"epoch {epoch}: {', '.join(told)}")
        self._epochs = len(history)

    def begin(self, where: str, history: Sequence[Metrics]) -> None:
        """A process begins, or goes on after epochs of which an earlier one has told."""
        self.say(f"{f'goes on after epoch {len(history) - 1}' if history else 'begins'}: {where}")
        self._epochs = len(history)


class _Silent(logging.FileHandler):
    """Of a full disk, or a folder that is gone, others tell."""

    def handleError(self, record: logging.LogRecord) -> None:
        return

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # that the file cannot be opened is no error to `handleError`
            super().emit(record)
