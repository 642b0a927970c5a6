"""What became of one call of a sweep."""

from collections.abc import Collection
from dataclasses import dataclass

from sweeps.results.report import Report
from sweeps.running.signals import CTRL_C, INTERRUPTED
from sweeps.search.grid import FINAL


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a sweep.

    Attributes:
        report: tables, files, and a row for each trial.
        infeasible: trials whose failure is an answer to a search.
        interrupted: by what, where trials are left to be gone on with.
        recorded: whether MLflow has all of it.
    """

    report: Report
    infeasible: Collection[str]
    interrupted: str | None
    recorded: bool

    @property
    def over(self) -> bool:
        """Whether all finished or stopped, but for what a search found infeasible."""
        return all(row.status in FINAL or row.name in self.infeasible for row in self.report.rows)

    @property
    def code(self) -> int:
        """Exit code: 0 all is over, 1 some trials are not, 75 (130 by Ctrl-C) interrupted."""
        if self.interrupted is not None:
            return CTRL_C if self.interrupted == "SIGINT" else INTERRUPTED
        return 0 if self.over else 1
