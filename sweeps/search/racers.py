"""What a race is between: listed settings with the seeds that they may get, and the score that decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epropnp.errors import UserError
from sweeps.build_settings import Build
from sweeps.folder import Sweep
from sweeps.search.objectives import USUAL, Objective, objectives_of
from sweeps.search.race import Race
from sweeps.search.search import setting_key
from sweeps.search.validated import earlier_seeds, images_of
from sweeps.space import Cell


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
        earlier = earlier_seeds(sweep, self.objective, first.config.recipe, first.dataset_id, settings)
        images = images_of(sweep, self.objective)
        return Race(trials, images, score=self.objective.score, margin=margin, earlier=earlier)
