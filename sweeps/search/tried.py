"""A cell that a search has drawn, and how its seeds fare."""

from dataclasses import dataclass, field
from statistics import fmean

from sweeps.search.asked import Draw
from sweeps.search.grid import FINAL
from sweeps.search.objectives import Objective
from sweeps.search.search import Planned
from sweeps.trial import Trial


@dataclass(eq=False)
class Tried:
    """A cell of the search.

    Attributes:
        draw: what was chosen, and when.
        planned: its trials by seed.
        known: whether there were folders of it before this call drew anything.
        ended: what their folders say, by seed.
        asked: seeds that this call was asked for.
    """

    draw: Draw
    planned: dict[int, Planned]
    known: bool = False
    ended: dict[int, Trial] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)

    @property
    def infeasible(self) -> str | None:
        """What its settings cannot do, whichever machine tries: the kind of a failure."""
        failed = [trial for trial in self.ended.values() if trial.status == "failed" and trial.record]
        return next((each.record.failure for each in failed if each.record and each.record.failure), None)

    @property
    def stopped(self) -> bool:
        """Whether one of its trials was stopped: what it has is no full result."""
        return any(trial.status == "stopped" for trial in self.ended.values())

    @property
    def finished(self) -> bool:
        """Whether every seed came to its end."""
        return all(seed in self.ended and self.ended[seed].status == "finished" for seed in self.planned)

    def intermediate(self, objective: Objective) -> dict[int, float]:
        """An objective by epoch, over the seeds that have come so far."""
        told = [objective.intermediate(trial) for trial in self.ended.values()]
        epochs = sorted({epoch for each in told for epoch in each})
        return {epoch: fmean(each[epoch] for each in told if epoch in each) for epoch in epochs}

    @property
    def runs(self) -> bool:
        """Whether one of its trials was asked for, and has not ended, so that the cell may still count."""
        return self.infeasible is None and bool(self.asked - self.ended.keys())

    @property
    def over(self) -> bool:
        """Whether nothing of it is left to run."""
        return self.finished or self.stopped or self.infeasible is not None

    @property
    def waiting(self) -> list[Planned]:
        """Its trials that are still to be asked for."""
        if self.over:
            return []
        done = {seed for seed, trial in self.ended.items() if trial.status in FINAL}
        return [trial for seed, trial in self.planned.items() if seed not in self.asked | done]
