"""A tracker for a test, and what MLflow holds of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from sweeps.tracking.experiment import EXPERIMENT
from sweeps.tracking.listener import Tracking
from sweeps.tracking.mlflow_runs import MlflowRuns
from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import facts_of

SECONDS = 60.0  # that a busy machine may need


def tracker(uri: str, folder: Path, retry_seconds: float = 0.05) -> Tracker:
    """Of the sweep that is named after a test's folder, in which the folders of its trials lie."""
    return Tracker(sender(uri, folder), folder / "spool.jsonl", retry_seconds)


def sender(uri: str, folder: Path) -> MlflowRuns:
    """What carries out the events of that sweep."""
    return MlflowRuns(
        uri=uri,
        sweep_id=folder.name,
        sweep_name="sweep",
        root=folder,
        artifacts=folder / "artifacts",
        facts=facts_of(lambda trial: folder / trial, folder),
    )


def sent(*trackers: Tracker) -> None:
    """Wait until they have sent all that they were told."""
    for tracker in trackers:
        assert tracker.flush(SECONDS)


def tracking(tracker: Tracker, folder: Path, params: Mapping[str, Mapping[str, Any]]) -> Tracking:
    """Of trials whose folders lie in a test's folder."""
    made = Tracking(tracker, lambda trial: folder / trial)
    made.params.update(params)
    return made


def runs(uri: str, folder: Path) -> dict[str, Run]:
    """The runs of the sweep that is named after a test's folder, by name."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    query = f"tags.`epropnp.sweep_id` = '{folder.name}'"
    return {r.info.run_name: r for r in client.search_runs([experiment.experiment_id], query)}


def history(uri: str, run: Run, key: str) -> list[tuple[int, float]]:
    """Step and value of a metric, in the order of logging."""
    history = MlflowClient(uri).get_metric_history(run.info.run_id, key)
    return [(metric.step, metric.value) for metric in history]


def artifacts(uri: str, run: Run) -> dict[str, str]:
    """The text files of a run by name."""
    client = MlflowClient(uri)
    paths = [file.path for file in client.list_artifacts(run.info.run_id)]
    return {path: Path(client.download_artifacts(run.info.run_id, path)).read_text() for path in paths}
