"""Fair tuning: each value of an axis has a search of its own with the same budget, and the best are compared.

One search over all values gives most trials to those that do well early, and compares the largest of many
scores with the largest of few. Here the searches ask in turns; of each, the best cell is trained anew with
fresh seeds, and these trials alone are compared. Each search draws with the same random numbers, so that
the first cells of all values are alike.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from epropnp.evaluation.table import Table
from sweeps.names import safe_name
from sweeps.running.listener import Listener
from sweeps.search.compared import Compared
from sweeps.search.confirmation import Confirmation, Part
from sweeps.search.objectives import Objective
from sweeps.search.search import Planned
from sweeps.space import Cell
from sweeps.trial import Trial


class Fair(Listener):
    """Asks the searches of all values in turns, and then for the confirmation of what they found.

    A trial is of a search if its seed is one of the domain's; the seeds of confirmations never are. So
    folders tell all there is to know.

    Args:
        axis: whose values are compared.
        parts: a search for each of them; no two have a cell in common.
        plan: names a cell's trial.
        confirm: fresh seeds of each best cell.
        objective: by which cells are judged.
    """

    def __init__(
        self,
        axis: str,
        parts: Sequence[Part],
        plan: Callable[[Cell], Planned],
        *,
        confirm: int,
        objective: Objective,
    ) -> None:
        self._axis, self._parts, self._plan = axis, parts, plan
        self._confirm, self._objective = confirm, objective
        self._asked: dict[str, Part] = {}  # trials of the searches, by name
        self._running: set[str] = set()  # of these, those that have not ended
        self._fresh: dict[str, Trial] = {}  # trials of cells with seeds that no search has
        self._unfit: set[str] = set()  # trials of no cell
        self._second: Confirmation | None = None

    @property
    def planned(self) -> list[Planned]:
        """Trials of each search, then those of the confirmation, when it is known what that is."""
        found = [trial for part in self._parts for trial in part.search.planned]
        second = self._confirmation
        return [*found, *(second.planned if second is not None else ())]

    @property
    def total(self) -> int:
        """Trials of the searches and of the confirmation."""
        second = self._confirmation
        more = len(self._parts) * self._confirm if second is None else len(second.planned)
        return sum(part.search.total for part in self._parts) + more

    @property
    def remarks(self) -> list[str]:
        """Those of each search, trials that are of none, and by how much each winner is flattered."""
        lines = [
            f"search of {part.label}: {line.removeprefix('search: ')}"
            for part in self._parts
            for line in part.search.remarks
        ]
        second = self._confirmation
        if self._unfit:
            lines.append(f"search: {len(self._unfit)} trials are of no cell of it and stay in the tables")
        if outdated := self._outdated:
            lines.append(f"search: {len(outdated)} trials confirmed cells that are not the best any more")
        return [*lines, *(second.told if second is not None else ())]

    @property
    def infeasible(self) -> list[str]:
        """Those of each search, and what no search asks for any more.

        A confirmation has none, for its cell could be trained: one that failed is tried again.
        """
        found = [name for part in self._parts for name in part.search.infeasible]
        return [*found, *self._unfit, *self._outdated]

    @property
    def done(self) -> bool:
        """Whether all searches are over, and all of the confirmation was asked for."""
        second = self._confirmation
        return second is not None and second.done

    def tables(self) -> Sequence[Table]:
        """None of its own."""
        return ()

    def files(self) -> dict[str, Callable[[Path], None]]:
        """Those of each search, with the value in their names."""
        words = [safe_name(part.value) for part in self._parts]
        found = {}
        for k, (part, word) in enumerate(zip(self._parts, words, strict=True)):
            own = word if words.count(word) == 1 else f"{word}-{k}"
            for name, make in part.search.files().items():
                stem, dot, kind = name.partition(".")
                found[f"{stem}_{own}{dot}{kind}"] = make
        return found

    def ask(self) -> Planned | None:
        """The next trial of the search that has begun the fewest; then of the confirmation."""
        for part in sorted(self._parts, key=lambda part: part.begun):
            trial = None if part.search.done else part.search.ask()
            if trial is not None:
                self._asked[trial.name] = part
                self._running.add(trial.name)
                return trial
        second = self._confirmation
        return None if second is None else second.ask()

    def tell(self, trial: Trial) -> None:
        """Hand it to the search that has its cell, or to the confirmation, if its seed is a fresh one."""
        self._running.discard(trial.name)
        part = self._asked.get(trial.name) or next((p for p in self._parts if p.study.holds(trial)), None)
        if part is None:
            self._unfit.add(trial.name)
        elif trial.config.seed in part.domain.seeds:
            part.search.tell(trial)
            self._second = None  # another cell may be the best now
        else:
            self._fresh[trial.name] = trial
            if self._second is not None:
                self._second.tell(trial)

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """What ends settings early judges those of one value among themselves, and no confirmation."""
        part = self._asked.get(trial)
        if part is not None and isinstance(part.search, Listener):
            part.search.reported(trial, report)

    def compared(self) -> Compared:
        """The trials of the confirmation."""
        second, axis = self._confirmation, self._axis
        if second is None or not second.finished:
            why = f"NOT COMPARED YET: the best cell of each {axis} is, once it is trained with fresh seeds"
            return Compared(names=frozenset(), notes=[why])
        seeds, count = ", ".join(map(str, second.seeds)), len(second.planned)
        how = f"Each {axis} had a search of its own, all with the same budget"
        notes = [f"{how}; compared is the best cell of each, trained anew with fresh seeds ({seeds})."]
        if second.finished < count:
            notes.append(f"CONFIRMED: {second.finished} of {count} trials with fresh seeds have results")
        names = frozenset(trial.name for trial in second.planned)
        return Compared(names=names, notes=[*notes, *second.told])

    @property
    def _outdated(self) -> set[str]:
        """Trials that confirmed cells that are not the best any more."""
        second = self._confirmation
        return set() if second is None else self._fresh.keys() - {trial.name for trial in second.planned}

    @property
    def _confirmation(self) -> Confirmation | None:
        """None while a search goes on, or a trial of one."""
        if self._second is None and not self._running and all(part.search.done for part in self._parts):
            self._second = Confirmation(self._parts, self._plan, self._confirm, self._objective)
            for trial in self._fresh.values():
                self._second.tell(trial)
        return self._second
