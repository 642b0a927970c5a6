"""The network of a sweep that its validation images prefer, as the champion of a registered model.

The setting is the one with the best mean over its seeds, and of its seeds the best one; settings that lack
seeds stand below the others. A champion that is shown to be better, image by image, stays.
"""

import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from epropnp.credentials import without_credentials
from epropnp.errors import UserError, first_line
from epropnp.evaluation.comparison import Verdict, compare
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import image_scores
from epropnp.models.config import BEST
from sweeps.folder import Sweep
from sweeps.names import safe_name
from sweeps.search.objectives import USUAL
from sweeps.search.search import by_setting
from sweeps.tracking.experiment import connected
from sweeps.tracking.fluent import quiet, tracking_at
from sweeps.tracking.logged_models import tag_registered
from sweeps.tracking.place import Place, answered
from sweeps.tracking.record import record
from sweeps.trial import VALIDATION_FILE, Trial

ALIAS = "champion"
SCORE = USUAL.removeprefix("val/")
NONE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # what MLflow says of an alias that it has not


def registered_name(sweep: Sweep) -> str:
    """Of the model of a sweep, if nobody gives another."""
    return safe_name(f"epropnp-{sweep.name}")


def preferred(trials: Sequence[Trial]) -> Trial | None:
    """The trial with the network that validation prefers; None where no trial has finished.

    Raises:
        UserError: there are several settings, and it prefers none of them.
    """
    groups = by_setting(trials)
    finished = {key: [t for t in group if _score(t) is not None] for key, group in groups.items()}
    ranked = {
        key: (len(found) == len(groups[key]), statistics.fmean(_score(t) or 0.0 for t in found))
        for key, found in finished.items()
        if found
    }
    if not ranked:
        return None
    if len(ranked) > 1 and len(set(ranked.values())) == 1:
        raise UserError(f"all {len(ranked)} settings score the same on validation")
    best = max(ranked, key=ranked.__getitem__)
    return max(finished[best], key=lambda trial: _score(trial) or 0.0)


def crown(sweep: Sweep, place: Place, name: str | None = None) -> str:
    """Register the network that validation prefers, and make it the champion unless it is worse; one line.

    Args:
        sweep: whose trials have ended.
        place: of MLflow.
        name: of the registered model; None: after the sweep.

    Raises:
        UserError: there is nothing to register, or nothing to prefer; MLflow does not answer, or refuses it.
    """
    name = name or registered_name(sweep)
    trial = preferred(list(sweep.trials()))
    if trial is None:
        raise UserError(f"sweep {sweep.name}: no trial has finished, none is registered")
    folder = sweep.trial_folder(trial.name)
    found = record(folder, place)
    if found.model is None:
        raise UserError(f"{trial.name} is the best by validation, and its {BEST} is not kept: see --keep")
    with answered(place), quiet(), tracking_at(place.uri):
        client = connected(place.uri, place.artifacts)
        before = _champion(client, name)
        version = _version(client, name, found.run_id, found.model.model_id)
        told = f"{trial.name} is models:/{name}/{version}"
        if before is not None and str(before.version) == version:
            return f"{told}, the {ALIAS} as before"
        verdict = None if before is None else _against(client, folder, before)
        if before is not None and verdict == "worse":
            return (
                f"{told}; models:/{name}@{ALIAS} stays version {before.version}: on validation this is worse"
            )
        client.set_registered_model_alias(name, ALIAS, version)
        return f"{told}, the new models:/{name}@{ALIAS}"


def crowned(sweep: Sweep, place: Place, name: str | None = None) -> str:
    """What `crown` says, or why it could not: a record must not end a sweep."""
    try:
        return crown(sweep, place, name)
    except Exception as error:
        return f"no model is registered: {without_credentials(first_line(error))}"


def verdict_of(new: Path, old: Path) -> Verdict | None:
    """Of one file of validation predictions against another; None where they are not of the same images."""
    files = {"new": new, "old": old}
    found = {name: Predictions.read(file) for name, file in files.items()}
    if found["new"].sample_id != found["old"].sample_id:
        return None
    values = {
        name: image_scores(errors_beside(each, each.objects, files[name]))[SCORE][None]
        for name, each in found.items()
    }
    settings = compare(values, found["new"].object_id).settings
    return next(each.verdict for each in settings if each.name == "new")


def _score(trial: Trial) -> float | None:
    """On all validation images, of a finished trial."""
    return None if trial.result is None else trial.result.validated.get(SCORE)


def _champion(client: Any, name: str) -> Any:
    """Its version; None where there is none yet."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, ALIAS)
    except MlflowException as error:
        if error.error_code not in NONE:
            raise
        return None


def _version(client: Any, name: str, run_id: str, model_id: str) -> str:
    """Of this model under that name, which is made, once."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    for known in client.search_model_versions(f"name = '{name}'"):
        if known.model_id == model_id or known.source == f"models:/{model_id}":
            return str(known.version)
    made = client.create_model_version(name, f"models:/{model_id}", run_id, model_id=model_id)
    tag_registered(client, model_id, name, str(made.version))
    return str(made.version)


def _against(client: Any, folder: Path, champion: Any) -> Verdict | None:
    """The verdict on a trial's network; None where the champion's predictions are not to be had."""
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="epropnp-") as work:
        try:
            old = client.download_artifacts(champion.run_id, VALIDATION_FILE, work)
        except (MlflowException, OSError):
            return None
        return verdict_of(folder / VALIDATION_FILE, Path(old))
