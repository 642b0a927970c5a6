"""What trials scored on each validation image, from their folders."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np

from epropnp.errors import UserError
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import image_scores
from epropnp.training.identity import COMPUTES
from sweeps.folder import TRIALS, Sweep
from sweeps.search.objectives import Objective
from sweeps.search.search import setting_key
from sweeps.trial import RESULT_FILE, VALIDATION_FILE, Trial, read

Images = tuple[list[str], Array, Array]  # names, object ids (n,) and what each counts, 0 to 100, (n,)


def images_of(sweep: Sweep, objective: Objective) -> Callable[[Trial], Images]:
    """What reads the finished trials of a sweep. UserError where one cannot be read.

    Args:
        sweep: of the trials.
        objective: a score.
    """

    def images(trial: Trial) -> Images:
        folder = sweep.trial_folder(trial.name)
        try:
            found = Predictions.read(folder / VALIDATION_FILE)
        except UserError as error:
            advice = f"remove {folder / RESULT_FILE} and --resume, which repeats its evaluation"
            raise UserError(f"{error}; {advice}") from error
        scores = image_scores(pose_errors(found, found.objects))
        return found.sample_id, found.object_id, scores[objective.score]

    return images


def earlier_seeds(
    sweep: Sweep, objective: Objective, recipe: str, dataset_id: str, but: Collection[str]
) -> list[Array]:
    """Scores of the seeds of each setting that the other sweeps beside one have trained with several.

    Args:
        sweep: whose own trials do not count.
        objective: a score.
        recipe, dataset_id: of the trials that count.
        but: keys of settings that do not.
    """
    found: dict[str, dict[int, float]] = {}
    for trial in _finished_beside(sweep):
        scores = trial.result.validation if trial.result is not None else {}
        alike = (trial.config.recipe, trial.dataset_id) == (recipe, dataset_id)
        key = setting_key(trial.config, trial.dataset_id)
        if alike and key not in but and objective.score in scores:
            found.setdefault(key, {})[trial.config.seed] = scores[objective.score]
    return [np.array(list(seeds.values())) for seeds in found.values() if len(seeds) > 1]


def _finished_beside(sweep: Sweep) -> Iterator[Trial]:
    for result in sorted(sweep.folder.parent.glob(f"*/{TRIALS}/*/{RESULT_FILE}")):
        if not result.is_relative_to(sweep.folder):
            with contextlib.suppress(UserError, OSError):  # a damaged one does not count
                trial = read(Path(result.parent))
                if trial.record is not None and trial.record.computes == COMPUTES:
                    yield trial
