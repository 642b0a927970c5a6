"""What a search is to do: from where it draws, how, how often, and what for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from epropnp.evaluation.table import Cell, Column, Table
from sweeps.build_settings import Build
from sweeps.folder import Sweep
from sweeps.search.asked import Sampler
from sweeps.search.domain import Domain
from sweeps.search.objectives import USUAL, Objective, objectives_of

if TYPE_CHECKING:  # brings Optuna
    from sweeps.search.study import Study

CELLS = 20


@dataclass(frozen=True, kw_only=True)
class Searching:
    """In the place of cells.

    Attributes:
        domain: of all cells.
        cells: to try, each with all its seeds, those of earlier calls included.
        sampler: how they are drawn.
        objectives: by which they are judged, each the mean over a cell's seeds.
    """

    domain: Domain
    cells: int = CELLS
    sampler: Sampler = "tpe"
    objectives: Sequence[Objective] = tuple(objectives_of(USUAL))

    @property
    def told(self) -> str:
        """In words."""
        size, seeds = self.domain.size, len(self.domain.seeds)
        cells = f"{self.cells}" if size is None else f"{min(self.cells, size)} of {size}"
        return f"search ({self.sampler}): {cells} cells x {seeds} seeds by {self.wanted}"

    @property
    def wanted(self) -> str:
        """The objectives, as they are given."""
        return ",".join(f"{'-' * each.least}{each.name}" for each in self.objectives)

    def table(self) -> Table:
        """What there is to choose."""
        rows: list[list[Cell]] = [[name, ", ".join(texts)] for name, texts in self.domain.texts.items()]
        rows += [[key, str(each)] for key, each in self.domain.ranges.items()]
        seeds = ", ".join(map(str, self.domain.seeds))
        notes = [f"{self.told}; each is tried with seeds {seeds}"]
        return Table(columns=[Column("choice"), Column("values")], rows=rows, notes=notes)

    def study(self, sweep: Sweep, ids: Mapping[Build, str]) -> "Study":
        """The search in a sweep.

        Args:
            sweep: names the trials.
            ids: of the datasets, by settings of the data.

        Raises:
            UserError: a trial of the sweep was begun on another dataset.
        """
        from sweeps.search.study import Study

        return Study(
            self.domain,
            ids,
            sweep.namer(ids),
            cells=self.cells,
            sampler=self.sampler,
            objectives=self.objectives,
        )
