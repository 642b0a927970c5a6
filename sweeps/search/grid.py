"""The search that tries every cell."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from epropnp.evaluation.table import Table
from sweeps.search.search import Planned
from sweeps.trial import Trial

FINAL = ("finished", "stopped")  # statuses that are not tried again


class Grid:
    """Asks for each trial in its order, but for those that it is told have come to their end.

    Args:
        trials: with names of their own.
    """

    def __init__(self, trials: Sequence[Planned]) -> None:
        self.planned, self.remarks = trials, ()
        self._waiting = {trial.name: trial for trial in trials}

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.planned)

    @property
    def infeasible(self) -> Collection[str]:
        """None: each was listed by the user."""
        return ()

    @property
    def done(self) -> bool:
        """Whether all were asked for."""
        return not self._waiting

    def tables(self) -> Sequence[Table]:
        """None of its own."""
        return ()

    def files(self) -> dict[str, Callable[[Path], None]]:
        """Nothing but the tables."""
        return {}

    def ask(self) -> Planned | None:
        """The next one; None when there is none left."""
        return self._waiting.pop(next(iter(self._waiting))) if self._waiting else None

    def tell(self, trial: Trial) -> None:
        """Do not ask for what is finished or was stopped before."""
        if trial.status in FINAL:
            self._waiting.pop(trial.name, None)
