"""What a race is between: listed settings with the seeds that they may get, and the score that decides."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.errors import UserError
from epropnp.files import private_folder, replaced
from sweeps.build_settings import Build
from sweeps.folder import Sweep
from sweeps.search.objectives import USUAL, Objective, objectives_of
from sweeps.search.race import Race
from sweeps.search.search import setting_key
from sweeps.search.validated import earlier_seeds, images_of
from sweeps.space import Cell

EARLIER_FILE = "race_earlier.json"  # seeds of other sweeps, by setting


@dataclass(frozen=True, kw_only=True)
class Racers:
    """In the place of cells.

    Attributes:
        cells: of every setting with every seed that it may get, in the order of the seeds.
        objective: a score on validation images.
    """

    cells: Sequence[Cell]
    objective: Objective = objectives_of(USUAL)[0]

    def race(self, sweep: Sweep, ids: Mapping[Build, str], margin: float) -> Race:
        """The race in a sweep.

        Args:
            sweep: names the trials; other sweeps beside it may know how much seeds spread.
            ids: of the datasets, by settings of the data.
            margin: in points, within which settings are equal.

        Raises:
            UserError: there are less than two settings.
        """
        trials = sweep.planned(self.cells, ids)
        settings = {setting_key(trial.config, trial.dataset_id) for trial in trials}
        if len(settings) < 2:
            raise UserError("--race: there is one setting; give several, such as --backbones A B")
        first = trials[0]
        found = self._earlier(sweep, first.config.recipe, first.dataset_id)
        earlier = [np.array(seeds) for key, seeds in found.items() if key not in settings]
        images = images_of(sweep, self.objective)
        return Race(trials, images, score=self.objective.score, margin=margin, earlier=earlier)

    def _earlier(self, sweep: Sweep, recipe: str, dataset_id: str) -> dict[str, list[float]]:
        """What other sweeps knew when the race began: what they learn later changes none of its decisions."""
        file, score = sweep.folder / EARLIER_FILE, self.objective.score
        with contextlib.suppress(
            OSError, ValueError, KeyError, TypeError, AttributeError
        ):  # none, or damaged
            noted = json.loads(file.read_text(encoding="utf-8"))
            if noted["score"] == score:
                return {key: [float(value) for value in seeds] for key, seeds in noted["seeds"].items()}
        found = earlier_seeds(sweep, self.objective, recipe, dataset_id)
        private_folder(sweep.folder)
        with replaced(file) as unfinished:
            unfinished.write_text(json.dumps({"score": score, "seeds": found}), encoding="utf-8")
        return found
