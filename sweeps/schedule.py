"""Runs planned trials on Ray Tune and says which of them failed, and why."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from rich.console import Console

from epropnp.plain import flatten
from sweeps.cluster import Share, ray_session, share_of_cluster
from sweeps.progress import SweepProgress
from sweeps.space import PlannedTrial
from sweeps.tracking import Tracker, TrackingCallback
from sweeps.trial import RESULT_FILE, one_line, run_trial, trial_spec


def run_trials(
    trials: Sequence[PlannedTrial],
    pending: Sequence[PlannedTrial],
    folders: Mapping[str, Path],
    dataset: str,
    *,
    storage: Path,
    at_once: int | None,
    address: str | None,
    retries: int,
    tracker: Tracker,
    console: Console,
) -> dict[str, str]:
    """Run the pending trials of a sweep, with live progress and MLflow records.

    A failed trial does not stop the others.

    Args:
        trials: all of the sweep, for the display.
        pending: those to run.
        folders: trial name -> folder, which exists.
        dataset: its folder or URI.
        storage: folder for Ray Tune's own records.
        at_once: trials that run at the same time; None: as many as cores, or GPUs.
        address: of a Ray cluster; None: this machine.
        retries: of a trial whose process broke.

    Returns:
        The failed trials, each with its reason in one line.
    """
    with ray_session(address):
        share = share_of_cluster(len(pending), at_once, max(t.config.threads for t in pending))
        console.print(
            f"trials at once: {share.at_once}; each has cores: {share.cpus}"
            + (f", GPUs: {share.gpus:g}" if share.gpus else "")
        )
        names = {trial.name for trial in pending}
        progress = SweepProgress(
            epochs={trial.name: trial.config.optim.epochs for trial in trials},
            kept=[trial.name for trial in trials if trial.name not in names],
            at_once=share.at_once,
            console=console,
        )
        tracking = TrackingCallback(tracker, {t.name: flatten(t.config) for t in pending})
        specs = [trial_spec(t.name, t.config, dataset, folders[t.name]) for t in pending]
        with progress:
            tuner = _tuner(specs, share, storage, retries, [progress, tracking])
            results = tuner.fit()
    return _failures(results, folders)


def _tuner(
    specs: list[dict[str, Any]], share: Share, storage: Path, retries: int, callbacks: list[Any]
) -> tune.Tuner:
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures stand in the table
    return tune.Tuner(
        tune.with_resources(run_trial, {"cpu": share.cpus, "gpu": share.gpus}),
        param_space={"trial": tune.grid_search(specs)},
        tune_config=tune.TuneConfig(
            max_concurrent_trials=share.at_once,
            reuse_actors=True,  # a fresh process imports torch and timm again: 6 s
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(storage),
            failure_config=tune.FailureConfig(max_failures=retries),
            callbacks=callbacks,
            verbose=0,
            log_to_file=True,
        ),
    )


def _trial_name(trial: Any) -> str:
    return str(trial.config["trial"]["name"])


def _failures(results: Any, folders: Mapping[str, Path]) -> dict[str, str]:
    reasons = {}
    for result in results:
        name = result.config["trial"]["name"]
        if result.error is not None:
            reasons[name] = one_line(result.error)
        elif "failed" in (result.metrics or {}):
            reasons[name] = result.metrics["failed"]
        elif not (folders[name] / RESULT_FILE).is_file():
            reasons[name] = "ended without a result"
    return reasons
