"""What a run says of its trial beside numbers: settings, a sentence, where it was trained, on what data."""

from collections.abc import Mapping, Sequence
from typing import Any

from epropnp.plain import Plain, flatten
from epropnp.training.config import TrialConfig
from epropnp.training.identity import INCIDENTAL, identity
from epropnp.training.result import TrialResult
from sweeps.build_settings import Build
from sweeps.search.asked import Asked
from sweeps.space import BACKBONE, HEAD, RECIPE, SEED, WEIGHT, by_key
from sweeps.tracking.measures import rounded
from sweeps.trial import Trial

NOTE_TAG = "mlflow.note.content"  # what the UI calls the description of a run
COMMIT_TAG = "mlflow.source.git.commit"
AXES = (RECIPE, BACKBONE, HEAD, WEIGHT, SEED)  # told also where a trial has the default
MAIN = {"add_0.10d": "ADD(-S) 0.10d", "add_area": "ADD(-S) area", "5deg5cm": "5deg5cm"}
ENDS = {
    "finished": "Finished",
    "failed": "Failed",
    "stopped": "Stopped",
    "waiting": "Interrupted",
    "running": "In training",
}


def params_of(
    config: TrialConfig, build: Build, asked: Asked | None = None, varied: Sequence[str] = ()
) -> dict[str, Plain]:
    """The settings of a trial that are not the defaults, and those by which trials of its sweep differ.

    Of its data only the latter: the data are an input of the run, which tells how they were built.

    Args:
        config, build: of the trial.
        asked: what a search has drawn for it.
        varied: settings in which trials of the sweep differ.
    """
    flat: dict[str, Plain] = {**flatten(config), **by_key(build)}
    drawn = () if asked is None else asked.draw.params
    keys = dict.fromkeys((*AXES, *identity(config), *varied, *drawn))
    return {key: flat[key] for key in keys if key in flat and key not in INCIDENTAL}


def varied_keys(trials: Sequence[Any]) -> list[str]:
    """Settings in which these trials differ, beside `AXES`."""
    flats = [{**flatten(trial.config), **by_key(trial.build)} for trial in trials]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    told = (*AXES, *INCIDENTAL)
    return [key for key in keys if key not in told and len({str(flat.get(key)) for flat in flats}) > 1]


def begun_tags(config: TrialConfig) -> dict[str, str]:
    """Of a run whose trial begins, or goes on."""
    return {NOTE_TAG: f"{_name(config)}. In training."}


def tags_of(trial: Trial) -> dict[str, str]:
    """Of a run whose trial has ended: its description; code, machine, versions, as its folder tells."""
    found = {NOTE_TAG: sentence(trial), "epropnp.dataset_id": trial.dataset_id}
    record = trial.record
    if trial.known is not None:
        found["epropnp.known"] = trial.known
    if record is None:
        return found
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    told = {
        "epropnp.host": record.host,
        "epropnp.hardware": record.device,
        "epropnp.versions": versions,
        "epropnp.commit": record.commit,  # with `+` where the source was changed
        COMMIT_TAG: record.commit and record.commit.rstrip("+"),
        "epropnp.test_id": trial.test_id,
    }
    return found | {key: value for key, value in told.items() if value}


def sentence(trial: Trial) -> str:
    """What a trial is, how it ended, and its main scores."""
    result, words = trial.result, [_name(trial.config) + "."]
    end = ENDS[trial.status]
    if result is not None:
        end += f" after {result.epochs} epochs in {result.seconds:.0f} s"
        if trial.known is not None:
            end += f", known from {trial.known}"
    elif trial.reason:
        end += f": {trial.reason}"
    words.append(f"{end}.")
    if result is not None:
        words.append(f"{scores_in_words(result.test)} of {result.test_images} test images.")
    return " ".join(words)


def scores_in_words(scores: Mapping[str, float]) -> str:
    """The main ones, in percent."""
    return ", ".join(f"{title} {scores[key]:.2f} %" for key, title in MAIN.items() if key in scores)


def inputs_of(trial: Trial) -> list[dict[str, Any]]:
    """The data of a trial: what it is trained on and, where its folder knows, which images test it."""
    source: dict[str, Any] = {"dataset_id": trial.dataset_id, **by_key(trial.build)}
    data = [_input("train", trial.dataset_id, source, {})]
    if trial.test_id is not None:
        images = {} if trial.result is None else {"images": trial.result.test_images}
        data.append(_input("test", trial.test_id, source | {"test_id": trial.test_id}, images))
    return data


def mean_scores(results: Sequence[TrialResult]) -> dict[str, float]:
    """On the test split, over the seeds of a setting."""
    keys = [key for key in results[0].test if all(key in each.test for each in results)]
    return rounded({f"test/{key}": sum(each.test[key] for each in results) / len(results) for key in keys})


def _input(context: str, digest: str, source: dict[str, Any], profile: dict[str, Any]) -> dict[str, Any]:
    return {"name": f"epropnp {context}", "digest": digest, "context": context, "source": source} | {
        "profile": profile
    }


def _name(config: TrialConfig) -> str:
    model = config.model
    start = ", pretrained" if model.starts_from_weights else ""
    return (
        f"`{model.backbone}` with head `{model.head}`, loss weight {config.loss.mc:g}, seed {config.seed} "
        f"(recipe `{config.recipe}`{start})"
    )
