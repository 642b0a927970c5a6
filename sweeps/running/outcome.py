"""What became of one call of a sweep."""

from dataclasses import dataclass

from sweeps.results.report import Report
from sweeps.running.signals import CTRL_C, INTERRUPTED
from sweeps.search.grid import FINAL


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a sweep.

    Attributes:
        report: tables, files, and a row for each trial.
        interrupted: by what, where trials are left to be gone on with.
        recorded: whether MLflow has all of it.
    """

    report: Report
    interrupted: str | None
    recorded: bool

    @property
    def code(self) -> int:
        """Exit code: 0 all finished or stopped, 1 some are not, 75 (130 by Ctrl-C) interrupted."""
        if self.interrupted is not None:
            return CTRL_C if self.interrupted == "SIGINT" else INTERRUPTED
        return 0 if all(row.status in FINAL for row in self.report.rows) else 1
