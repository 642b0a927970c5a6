"""A sweep whose trials have real folders, and end as a test says; it can be left, and come back to."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from epropnp.training.config import TrialConfig
from epropnp.training.halt import Failure
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record
from epropnp.training.result import TrialResult
from sweeps.folder import Sweep
from sweeps.search.asked import Sampler
from sweeps.search.search import Planned
from sweeps.search.searching import Searching
from sweeps.search.study import Study
from sweeps.trial import read
from tests.sweeps.cells import space
from tests.sweeps.search.domains import IDS, domain_of

FAILURES: dict[str, Failure] = {"diverged": "diverged", "memory": "memory"}


def area_of(config: TrialConfig) -> float:
    """What a trial is made to have: most at a rate of 1e-3, less on both sides."""
    return 50.0 - 10.0 * (math.log10(config.optim.lr) + 3) ** 2 + 0.1 * config.seed


@dataclasses.dataclass
class Bench:
    """Searches of one sweep.

    Attributes:
        sweep, recipe: of its trials.
        result: what their results are like.
        trained: names of those that came to their end.
        fate: finished, stopped, diverged, memory, or in words why a machine failed.
    """

    sweep: Sweep
    recipe: Recipe
    result: TrialResult
    trained: list[str] = dataclasses.field(default_factory=list)
    fate: Callable[[TrialConfig], str] = lambda config: "finished"

    def search(
        self,
        *texts: str,
        cells: int = 20,
        sampler: Sampler = "tpe",
        seeds: Sequence[int] = (0,),
        **more: Any,
    ) -> Study:
        """As a call of the sweep begins: all folders are told."""
        domain = domain_of(space(self.recipe, backbones=["test_resnet"], seeds=seeds), *texts)
        searching = Searching(domain=domain, cells=cells, sampler=sampler, **more)
        study = searching.study(self.sweep, IDS)
        for trial in self.sweep.trials():
            study.tell(trial)
        return study

    def begin(self, trial: Planned) -> Path:
        """As one that is killed leaves its folder."""
        folder = self.sweep.prepare(trial)
        Record(status="running").write(folder)
        return folder

    def end(self, trial: Planned) -> None:
        """As its fate wants it."""
        folder, fate, area = self.begin(trial), self.fate(trial.config), area_of(trial.config)
        history = [{"val/add_area": part * area, "train/loss": 1.0} for part in (0.25, 0.5)]
        if fate == "finished":
            self.trained.append(trial.name)
            points = trial.config.data.points
            done = dataclasses.replace(self.result, val_after={"add_area": area}, parameters=points)
            (folder / "result.json").write_text(done.to_json())
            Record(status="finished", history=history).write(folder)
        elif fate == "stopped":
            (folder / "stop").write_text("below the median")
            Record(status="stopped", history=history).write(folder)
        else:
            Record(status="failed", reason=fate, failure=FAILURES.get(fate)).write(folder)

    def run(self, study: Study, trials: int = 10_000) -> Iterator[Planned]:
        """One trial after the other; so many, or to the end."""
        while not study.done and trials:
            trial = study.ask()
            if trial is None:
                return
            yield trial
            self.end(trial)
            study.tell(read(self.sweep.trial_folder(trial.name)))
            trials -= 1
