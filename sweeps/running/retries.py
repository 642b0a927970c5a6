"""How often the process of a trial may break: without progress from one to the next, not in all."""

from pathlib import Path

from sweeps.trial import CHECKPOINT_FILE


class Retries:
    """Counts, by trial.

    Args:
        most: processes that may break in a row without another checkpoint, and be followed by one more.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: dict[str, int] = {}
        self._checkpoints: dict[str, int] = {}  # as they were when the newest process began

    def start(self, trial: str, folder: Path) -> None:
        """A process of a trial begins."""
        self._checkpoints[trial] = _written(folder)

    def left(self, trial: str, folder: Path) -> bool:
        """Its process broke: whether another one may try."""
        if _written(folder) != self._checkpoints.get(trial, 0):
            self._failures[trial] = 0
        self._failures[trial] = self._failures.get(trial, 0) + 1
        return self._failures[trial] <= self._most

    def forget(self, trial: str) -> None:
        """What broke was the machine."""
        self._failures.pop(trial, None)


def _written(folder: Path) -> int:
    """When its checkpoint was, in nanoseconds; 0 where there is none."""
    file = folder / CHECKPOINT_FILE
    return file.stat().st_mtime_ns if file.is_file() else 0
