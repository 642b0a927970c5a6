"""What trials scored on each validation image, from their folders."""

import contextlib
from collections.abc import Callable

from epropnp.errors import UserError
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import image_scores
from sweeps.folder import Sweep
from sweeps.program import go_on_with_trial
from sweeps.search.objectives import Objective
from sweeps.search.search import setting_key
from sweeps.trial import RESULT_FILE, VALIDATION_FILE, Trial, read_note, read_result

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
            remove = f"remove {folder / RESULT_FILE} to have its evaluation repeated"
            raise UserError(f"{error}; {remove}: {go_on_with_trial(folder)}") from error
        scores = image_scores(errors_beside(found, found.objects, folder / VALIDATION_FILE))
        return found.sample_id, found.object_id, scores[objective.score]

    return images


def earlier_seeds(sweep: Sweep, objective: Objective, recipe: str, dataset_id: str) -> dict[str, list[float]]:
    """By key of the setting, scores of the seeds where the other sweeps beside one have trained several.

    Args:
        sweep: whose own trials do not count.
        objective: a score.
        recipe, dataset_id: of the trials that count.
    """
    found: dict[str, dict[int, float]] = {}
    for folder in sweep.results_beside():
        with contextlib.suppress(UserError, OSError):  # a damaged one does not count
            note, result = read_note(folder), read_result(folder)
            config = note.config()
            alike = (config.recipe, note.dataset_id) == (recipe, dataset_id)
            key = setting_key(config, note.dataset_id)
            scores = result.validation if result is not None else {}
            if alike and objective.score in scores:
                found.setdefault(key, {})[config.seed] = scores[objective.score]
    return {key: list(seeds.values()) for key, seeds in found.items() if len(seeds) > 1}
