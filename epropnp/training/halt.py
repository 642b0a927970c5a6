"""A training ends before its end, not by an error: stopped for good, or interrupted to be gone on with."""

import signal
from pathlib import Path
from typing import Literal

from epropnp.errors import UserError

STOP_FILE = "stop"  # in a trial's folder: stop it after the running update; its text is the reason
BY_HAND = "stopped by hand"

Failure = Literal["diverged", "memory"]


class HaltError(UserError):
    """A training was halted; what it goes on from is written."""


class StopError(HaltError):
    """By a decision, which stands in the folder's `stop` file: final until that file is removed."""


class InterruptionError(HaltError):
    """By something that has nothing to do with the trial, such as the end of a node's time.

    Its message ends the sentence `interrupted after epoch 3, ...`: `with its sweep`.
    """


class SettingsError(UserError):
    """A training failed for what its settings are: it would fail again wherever they are tried.

    Attributes:
        kind: of the failure.
    """

    kind: Failure


class TerminatedError(BaseException):
    """The process was told to end by a signal, and nothing is left that had to be written first."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number  # exit code, as shells have it


def heed_stop(folder: Path) -> None:
    """Raise StopError if the trial of a folder is to be stopped."""
    reason = stop_reason(folder)
    if reason is not None:
        raise StopError(reason)


def stop_reason(folder: Path) -> str | None:
    """Why the trial of a folder is to be stopped, in one line; None where it is not."""
    try:
        text = (folder / STOP_FILE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError:  # a folder of that name, or a file of others: somebody wants it to stop
        return BY_HAND
    return text.strip().partition("\n")[0].strip() or BY_HAND
