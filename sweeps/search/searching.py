"""What a search is to do: from where it draws, how, how often, and what for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from epropnp.errors import UserError
from epropnp.evaluation.table import Cell, Column, Table
from sweeps import space
from sweeps.build_settings import Build
from sweeps.folder import Sweep
from sweeps.search.asked import Params, Sampler
from sweeps.search.domain import Domain
from sweeps.search.objectives import USUAL, Objective, objectives_of
from sweeps.search.parts import parts_of
from sweeps.search.search import Planned, Search

if TYPE_CHECKING:  # brings Optuna
    from sweeps.search.study import Study

CELLS = 20
CONFIRM = 3


@dataclass(frozen=True, kw_only=True)
class Searching:
    """In the place of cells.

    Attributes:
        domain: of all cells.
        cells: to try, each with all its seeds, those of earlier calls included.
        sampler: how they are drawn.
        objectives: by which they are judged, each the mean over a cell's seeds.
        per: axis of which each value gets a search of its own, with so many cells; None: one search of all.
        confirm: fresh seeds with which the best cell of each such search is trained, to be compared.
        parts: by value of `per`, what its search may draw.

    Raises:
        UserError: several objectives with `per`, or an axis that cannot be taken apart, of `parts_of`.
    """

    domain: Domain
    cells: int = CELLS
    sampler: Sampler = "tpe"
    objectives: Sequence[Objective] = tuple(objectives_of(USUAL))
    per: str | None = None
    confirm: int = CONFIRM

    parts: Mapping[str, Domain] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.per is not None and len(self.objectives) > 1:
            raise UserError(
                f"--per: the best cell of each {self.per} is that by one objective: {self.wanted}"
            )
        parts = {} if self.per is None else parts_of(self.domain, self.per)
        object.__setattr__(self, "parts", parts)

    @property
    def told(self) -> str:
        """In words."""
        seeds, count = len(self.domain.seeds), len(self.parts)
        if not self.parts:
            return (
                f"search ({self.sampler}): {self._budget(self.domain)} cells x {seeds} seeds by {self.wanted}"
            )
        cells = " or ".join(dict.fromkeys(map(self._budget, self.parts.values())))
        fresh = f"{self.confirm} fresh seed{'s' * (self.confirm > 1)}"
        budget = f"{count} searches ({self.sampler}) of {cells} cells x {seeds} seeds"
        return f"{budget}, then {fresh} of the best of each by {self.wanted}"

    @property
    def most(self) -> int:
        """Cells that there may be in one search."""
        return max(map(self._tried, self.parts.values() or [self.domain]))

    def _tried(self, domain: Domain) -> int:
        return self.cells if domain.size is None else min(self.cells, domain.size)

    def _budget(self, domain: Domain) -> str:
        size = domain.size
        return f"{self._tried(domain)}" + ("" if size is None else f" of {size}")

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

    def search(
        self, sweep: Sweep, ids: Mapping[Build, str], around: Callable[[Search], Search] = lambda each: each
    ) -> Search:
        """What asks for the trials of a sweep.

        Args:
            sweep: names the trials.
            ids: of the datasets, by settings of the data.
            around: what ends settings of a search early.

        Raises:
            UserError: a trial of the sweep was begun on another dataset.
        """
        if self.per is None:
            return around(self.study(sweep, ids))
        from sweeps.search.confirmation import Part
        from sweeps.search.fair import Fair

        plan, found = sweep.namer(ids), []
        for value, domain in self.parts.items():
            study = self._study(domain, ids, plan, {self.per: value})
            found.append(Part(value=value, domain=domain, study=study, search=around(study)))
        return Fair(self.per, found, plan, confirm=self.confirm, objective=self.objectives[0])

    def study(self, sweep: Sweep, ids: Mapping[Build, str]) -> "Study":
        """One search of all cells; see `search`."""
        return self._study(self.domain, ids, sweep.namer(ids), {})

    def _study(
        self, domain: Domain, ids: Mapping[Build, str], plan: Callable[[space.Cell], Planned], beside: Params
    ) -> "Study":
        from sweeps.search.study import Study

        return Study(
            domain,
            ids,
            plan,
            cells=self.cells,
            sampler=self.sampler,
            objectives=self.objectives,
            beside=beside,
        )
