"""The search that Optuna makes: it is asked for cells, and told what came out of them.

Nothing of it is stored: before each question a study is made anew of what trial folders say, so that a
sweep that was interrupted goes on as if it had not been; where the space has changed, with the cells that it
still holds. Each cell is a trial of the study, all its seeds together.
"""

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from statistics import fmean

import optuna
from optuna.trial import FrozenTrial, TrialState

from epropnp.errors import UserError
from epropnp.evaluation.table import Table
from epropnp.training.config import TrialConfig
from epropnp.training.effect import effective
from epropnp.training.seeds import mixed_seed
from sweeps.build_settings import Build
from sweeps.search.asked import Asked, Draw, Params, Sampler
from sweeps.search.domain import LISTED, Domain
from sweeps.search.objectives import Objective, unbeaten
from sweeps.search.samplers import distributions_of, sampler_of, trial_of
from sweeps.search.search import Planned, setting_key
from sweeps.search.tried import Tried
from sweeps.space import Cell
from sweeps.trial import Trial

REPEATS = 20  # answers in a row that are known: then all that is left is looked at
ANSWERS = 300  # in a row that are known or refused
SEED = 1729
UNNUMBERED = -1

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Study:
    """Asks Optuna for cells, and for the trials of each with all its seeds.

    Args:
        domain: of the cells.
        ids: of the datasets, by settings of the data.
        plan: names a cell's trial.
        cells: to try in all, those of earlier calls included.
        sampler: how they are drawn.
        objectives: by which they are judged.
        beside: what all cells have in common that folders are to tell beside what was drawn.
    """

    def __init__(
        self,
        domain: Domain,
        ids: Mapping[Build, str],
        plan: Callable[[Cell], Planned],
        *,
        cells: int,
        sampler: Sampler,
        objectives: Sequence[Objective],
        beside: Params | None = None,
    ) -> None:
        self._domain, self._ids, self._plan, self._beside = domain, ids, plan, dict(beside or {})
        self._cells, self._sampler, self._objectives = cells, sampler, objectives
        self._tried: dict[str, Tried] = {}  # by what makes cells the same
        self._refused: list[Draw] = []
        self._unsaid: list[Draw] = []  # refused, and not yet noted in a folder
        self._unfit: dict[str, Trial] = {}  # that are no part of the space
        self.ended: str | None = None  # why no other cell is drawn, before there are enough

    @property
    def tried(self) -> list[Tried]:
        """The cells, in the order of their draws."""
        return sorted(self._tried.values(), key=lambda each: each.draw.number)

    @property
    def planned(self) -> list[Planned]:
        """Their trials."""
        return [trial for each in self.tried for trial in each.planned.values()]

    @property
    def total(self) -> int:
        """Trials that there will be, if the space has so many."""
        wanted = self._cells if self._domain.size is None else min(self._cells, self._domain.size)
        return max(wanted, len(self._tried)) * len(self._domain.seeds)

    @property
    def remarks(self) -> list[str]:
        """Which folders it knows, why it ends early, and the best cell."""
        known, found = sum(each.known for each in self._tried.values()), []
        if known or self._unfit:
            unfit = f"{len(self._unfit)} trials are of no cell of it and stay in the tables"
            found.append(f"search: {known} cells are known, {unfit}")
        if self.ended is not None:
            found.append(f"search: {self.ended}")
        return found if any(each.runs for each in self.tried) or not self.done else [*found, *self._best()]

    @property
    def complete(self) -> dict[int, list[float]]:
        """The objectives of the cells whose seeds all came to their end, by number of the draw."""
        return {tried.draw.number: value for tried in self.tried if (value := self.values(tried))}

    @property
    def best(self) -> list[Tried]:
        """The cells that no other one beats; of one objective the first of these."""
        numbers = unbeaten(self.complete, self._objectives)
        front = [tried for tried in self.tried if tried.draw.number in numbers]
        return front[:1] if len(self._objectives) == 1 else front

    def _best(self) -> list[str]:
        """The same in words."""
        values, lines = self.complete, []
        if len(values) > len({tuple(value) for value in values.values()}) == 1:
            return [f"search: none is best: all {len(values)} cells score the same"]
        for number, tried in ((each.draw.number, each) for each in self.best):
            told = zip(self._objectives, values[number], strict=True)
            chosen = ", ".join(f"{name}={value}" for name, value in tried.draw.params.items())
            scores = ", ".join(f"{objective.name} {value:.4g}" for objective, value in told)
            lines.append(f"search: best of {len(values)} cells is number {number}: {scores} with {chosen}")
        return lines

    @property
    def infeasible(self) -> list[str]:
        """All trials of the cells that cannot be trained; what is of no cell is no failure of the search."""
        names = [trial.name for each in self.tried if each.infeasible for trial in each.planned.values()]
        return [*names, *self._unfit]

    @property
    def done(self) -> bool:
        """Whether nothing will be asked any more."""
        enough = self.ended is not None or len(self._tried) >= self._cells
        return enough and not any(each.waiting for each in self._tried.values())

    def holds(self, trial: Trial) -> bool:
        """Whether a trial is of a cell of the space, whatever its seed."""
        return self._params_of(trial) is not None

    def tell(self, trial: Trial) -> None:
        """Take in how a trial ended, or what its folder says."""
        key = _key(trial.config, trial.dataset_id)
        params = self._tried[key].draw.params if key in self._tried else self._params_of(trial)
        if params is None:
            self._unfit[trial.name] = trial
            return
        self._take_in(key, trial.asked, params)
        self._tried[key].ended[trial.config.seed] = trial

    def ask(self) -> Planned | None:
        """The next trial: of a cell that was begun, else of a new one."""
        self._number()
        cell = next((each for each in self.tried if each.waiting), None)
        if cell is None and self.ended is None and len(self._tried) < self._cells:
            cell = self._new()
        if cell is None:
            return None
        trial = cell.waiting[0]
        cell.asked.add(trial.config.seed)
        return trial

    def tables(self) -> Sequence[Table]:
        """None of its own."""
        return ()

    def files(self) -> dict[str, Callable[[Path], None]]:
        """Pictures, and a journal for optuna-dashboard."""
        from sweeps.search.pictures import search_files

        return search_files(self.study(), self._domain, self._objectives)

    def study(self) -> optuna.Study:
        """All that is known, as Optuna has it."""
        directions = ["minimize" if each.least else "maximize" for each in self._objectives]
        study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=0))
        draws = {each.draw.number: self._told(each) for each in self._tried.values()}
        draws |= {
            draw.number: trial_of(self._domain, draw, TrialState.PRUNED, infeasible=True)
            for draw in self._refused
        }
        for number in sorted(draws):
            study.add_trial(draws[number])
        return study

    def _params_of(self, trial: Trial) -> Params | None:
        """The choices that make a trial, by the names by which it was drawn: later draws depend on them."""
        drawn = {} if trial.asked is None else trial.asked.draw.params
        own = {name: value for name, value in drawn.items() if name not in self._beside}
        return self._domain.params_of(trial.config, trial.dataset_id, self._ids, own)

    def _take_in(self, key: str, asked: Asked | None, params: Params) -> None:
        """What a folder tells of its cell: of the draws before it, not each of its seeds need know."""
        known = {draw.number for draw in self._refused}
        fresh = [draw for draw in (asked.refused if asked else ()) if draw.number not in known]
        self._refused += [draw for draw in fresh if self._domain.holds(draw.params)]
        if key in self._tried:
            return
        own = Draw(number=UNNUMBERED, params=params) if asked is None else asked.draw
        taken = own.number in self._numbers  # by a search with other spaces
        draw = dataclasses.replace(own, params=params, number=UNNUMBERED if taken else own.number)
        self._tried[key] = Tried(draw=draw, planned=self._planned(draw), known=True)

    def _number(self) -> None:
        """Give cells that this search has not drawn, in the order of their names, numbers that are free."""
        lacking = [each for each in self._tried.values() if each.draw.number == UNNUMBERED]
        free = (number for number in count() if number not in self._numbers)
        for each in sorted(lacking, key=lambda each: min(trial.name for trial in each.planned.values())):
            each.draw = dataclasses.replace(each.draw, number=next(free))

    @property
    def _numbers(self) -> set[int]:
        others = {trial.asked.draw.number for trial in self._unfit.values() if trial.asked is not None}
        return others | {each.number for each in (*(t.draw for t in self._tried.values()), *self._refused)}

    def _new(self) -> Tried | None:
        """Draw until a cell is new, and a network; None where there is none."""
        self._unsaid = []
        for draw in self._draws():
            try:
                cell = self._domain.network(draw.params)
                if cell.build not in self._ids:
                    raise UserError("a dataset that was not built, for none of its cells was found")
            except UserError:
                if draw.params not in [each.params for each in self._refused]:
                    self._refused.append(draw)
                    self._unsaid.append(draw)
                continue
            key = _key(cell.config, self._ids[cell.build])
            if key not in self._tried:
                self._tried[key] = Tried(draw=draw, planned=self._planned(draw))
                return self._tried[key]
        self.ended = f"nothing new in {ANSWERS} answers: the settings refuse them, or they are known"
        if self._countable:
            self.ended = f"the space is used up: it has {len(self._tried)} cells"
        return None

    def _draws(self) -> Iterator[Draw]:
        """Answers of the sampler; when it repeats itself, whatever a space has that can be counted."""
        repeats = 0
        for attempt in range(ANSWERS):
            refused = len(self._refused)
            yield self._drawn(attempt)
            repeats += len(self._refused) == refused
            if repeats == REPEATS:
                break
        if self._countable:
            left = list(self._domain.combinations())
            random.Random(f"{SEED}-{max(self._numbers)}").shuffle(left)
            for params in left:
                if params not in [draw.params for draw in self._refused]:
                    yield Draw(number=self._next, params=params)

    @property
    def _countable(self) -> bool:
        """Whether all of the space can be listed."""
        return self._domain.size is not None and self._domain.size <= LISTED

    def _drawn(self, attempt: int) -> Draw:
        """What the sampler answers, which depends on nothing but the trials before it."""
        number, study = self._next, self.study()
        seed = mixed_seed(SEED, number, attempt) % 2**32
        study.sampler = sampler_of(self._sampler, seed, self._cells)
        params = study.ask(distributions_of(self._domain)).params
        ranges = self._domain.ranges
        exact = {name: ranges[name].nearest(v) if name in ranges else v for name, v in params.items()}
        attrs = study.get_trials(deepcopy=False)[-1].system_attrs
        return Draw(number=number, params=exact, attrs=attrs)

    @property
    def _next(self) -> int:
        return 1 + max(self._numbers, default=-1)

    def _planned(self, draw: Draw) -> dict[int, Planned]:
        """The trials of a cell by seed; the draws that were refused before it are told in their folders."""
        told = dataclasses.replace(draw, params=self._beside | dict(draw.params))
        asked = Asked(draw=told, refused=tuple(self._unsaid))
        trials = {seed: self._plan(self._domain.cell(draw.params, seed)) for seed in self._domain.seeds}
        return {seed: dataclasses.replace(trial, asked=asked) for seed, trial in trials.items()}

    def _told(self, tried: Tried) -> FrozenTrial:
        """A cell as a trial of the study."""
        if tried.infeasible is not None:
            return trial_of(self._domain, tried.draw, TrialState.PRUNED, infeasible=True)
        if tried.stopped:
            epochs = tried.intermediate(self._objectives[0])
            return trial_of(self._domain, tried.draw, TrialState.PRUNED, intermediate=epochs)
        values = self.values(tried)
        state = TrialState.RUNNING if values is None else TrialState.COMPLETE
        return trial_of(self._domain, tried.draw, state, values=values)

    def values(self, tried: Tried) -> list[float] | None:
        """The objectives of a cell, each the mean over its seeds; None where one of these is not finished."""
        if not tried.finished or tried.infeasible:
            return None
        return [fmean(each.value(tried.ended[seed]) for seed in tried.planned) for each in self._objectives]


def _key(config: TrialConfig, dataset_id: str) -> str:
    """What the seeds of a cell share, and cells that differ in nothing that has an effect."""
    return setting_key(effective(config), dataset_id)
