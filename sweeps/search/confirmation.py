"""The best cell of each search, trained anew with fresh seeds: what these score flatters nobody.

The score by which a cell became the best of many is too good: it is the largest of them, luck included.
"""

import dataclasses
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.search.asked import Asked
from sweeps.search.domain import Domain
from sweeps.search.grid import Grid
from sweeps.search.objectives import Objective
from sweeps.search.search import Planned, Search
from sweeps.search.tried import Tried
from sweeps.space import Cell
from sweeps.trial import Trial

if TYPE_CHECKING:  # brings Optuna
    from sweeps.search.study import Study

OWN_VALUE = "as the recipe has it"  # in the place of a value that has no name


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """The search of one value of the axis.

    Attributes:
        value: its name.
        domain: all cells that have it.
        study: draws some of them.
        search: the study, or what ends its settings early.
    """

    value: str
    domain: Domain
    study: "Study"
    search: Search

    @property
    def label(self) -> str:
        """The value, in words."""
        return self.value or OWN_VALUE

    @property
    def begun(self) -> int:
        """Trials that it need not ask for any more."""
        return sum(len(each.planned) - len(each.waiting) for each in self.study.tried)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Winner:
    part: Part
    cell: Tried
    planned: Sequence[Planned]

    @property
    def searched(self) -> float:
        """What its search says of it."""
        return self.part.study.complete[self.cell.draw.number][0]


class Confirmation:
    """Asks for the best complete cell of each search with seeds that no search has.

    Args:
        parts: whose searches are over.
        plan: names a cell's trial.
        count: fresh seeds of each.
        objective: by which the searches judged.
    """

    def __init__(
        self, parts: Sequence[Part], plan: Callable[[Cell], Planned], count: int, objective: Objective
    ) -> None:
        self._parts, self._objective = parts, objective
        first = 1 + max(seed for part in parts for seed in part.domain.seeds)
        self.seeds = range(first, first + count)
        self._winners = [
            _Winner(part=part, cell=cell, planned=[_planned(part, cell, seed, plan) for seed in self.seeds])
            for part in parts
            for cell in part.study.best
        ]
        self._grid = Grid([trial for winner in self._winners for trial in winner.planned])
        self._ended: dict[str, Trial] = {}

    @property
    def planned(self) -> Sequence[Planned]:
        """Its trials."""
        return self._grid.planned

    @property
    def done(self) -> bool:
        """Whether all were asked for."""
        return self._grid.done

    def ask(self) -> Planned | None:
        """The next one; None when there is none left."""
        return self._grid.ask()

    def tell(self, trial: Trial) -> None:
        """Take in how one of them ended; of others, nothing."""
        if trial.name in {each.name for each in self.planned}:
            self._grid.tell(trial)
            self._ended[trial.name] = trial

    @property
    def told(self) -> list[str]:
        """For each value by how much its search flatters it, as far as one knows, or why it has no cell."""
        winners = {winner.part.value: winner for winner in self._winners}
        lines = []
        for part in self._parts:
            winner = winners.get(part.value)
            if winner is None:
                cells = len(part.study.tried)
                lines.append(f"{part.label}: none of its {cells} cells is complete, it is not compared")
            elif values := self._values(winner):
                lines.append(self._flattery(winner, values))
        return lines

    @property
    def finished(self) -> int:
        """How many have results."""
        return sum(len(self._values(winner)) for winner in self._winners)

    def _values(self, winner: _Winner) -> list[float]:
        ended = [self._ended[trial.name] for trial in winner.planned if trial.name in self._ended]
        return [self._objective.value(trial) for trial in ended if trial.status == "finished"]

    def _flattery(self, winner: _Winner, values: Sequence[float]) -> str:
        searched, fresh, name = winner.searched, statistics.fmean(values), self._objective.name
        less = (fresh - searched) * (1 if self._objective.least else -1)
        score = name.startswith("val/")
        numbers = [f"{value:.1f}" if score else f"{value:.4g}" for value in (searched, fresh, abs(less))]
        count, cells = len(values), len(winner.part.study.complete)
        chosen = ", ".join(f"{key}={value}" for key, value in winner.cell.draw.params.items())
        before = f"{numbers[0]} in the search (best of {cells} cells: {chosen})"
        after = f"{numbers[1]} with {count} fresh seed{'s' * (count > 1)}"
        verdict = f"{'flattered' if less >= 0 else 'belittled'} by {numbers[2]}{' points' * score}"
        return f"{winner.part.label}: {before}, {after}: {verdict} ({name})"


def _planned(part: Part, cell: Tried, seed: int, plan: Callable[[Cell], Planned]) -> Planned:
    """A trial of a best cell, whose folder says what was drawn, too."""
    first = next(iter(cell.planned.values()))
    asked = None if first.asked is None else Asked(draw=first.asked.draw)
    return dataclasses.replace(plan(part.domain.cell(cell.draw.params, seed)), asked=asked)
