"""`--hours`: how long a sweep may run, counted over all calls where a batch system starts it again."""

import contextlib
import json
import time
from pathlib import Path

from epropnp.errors import UserError
from epropnp.files import replaced

FILE = "hours.json"
NOTED_S = 10.0  # what a kill may cost of the count


class Hours:
    """Counts the time that a sweep runs, on a clock that nobody sets.

    Args:
        folder: of the sweep, which keeps the count.
        hours: that it may run; None: without end.
        in_all: whether they are those of all calls, and not of this one alone.
    """

    def __init__(self, folder: Path, hours: float | None, in_all: bool = False) -> None:
        self._file, self._began_s = folder / FILE, time.monotonic()
        self._before_s = _noted_s(self._file)
        self._limit_s = None if hours is None else 3600 * hours - (self._before_s if in_all else 0.0)
        self._noted_s = self._began_s
        self._text = "" if hours is None else f"its {hours:g} hours are over"

    def over(self) -> str | None:
        """Why the sweep is to end, if it is. The count is noted now and then."""
        now_s = time.monotonic()
        if now_s - self._noted_s > NOTED_S:
            self.note()
        return self._text if self._limit_s is not None and now_s - self._began_s >= self._limit_s else None

    def note(self) -> None:
        """Keep the count; where that cannot be, the next call counts from what was kept before."""
        self._noted_s = time.monotonic()
        with contextlib.suppress(UserError), replaced(self._file) as file:
            file.write_text(json.dumps({"seconds": self._before_s + self._noted_s - self._began_s}))


def _noted_s(file: Path) -> float:
    try:
        return float(json.loads(file.read_text())["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
