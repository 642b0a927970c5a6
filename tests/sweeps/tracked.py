"""A tracker for a test, what it hears of trials, and what MLflow holds of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run

from epropnp.training.config import TrialConfig
from epropnp.training.record import Status
from epropnp.training.result import TrialResult
from sweeps.tracking.listener import Tracking
from sweeps.tracking.tracker import EXPERIMENT, Tracker
from sweeps.trial import Trial


def tracker(uri: str, folder: Path, retry_seconds: float = 0.0) -> Tracker:
    """Of the sweep that is named after a test's folder."""
    return Tracker(
        uri=uri,
        sweep_id=folder.name,
        sweep_name="sweep",
        spool=folder / "spool.jsonl",
        artifacts=folder / "artifacts",
        retry_seconds=retry_seconds,
    )


def tracking(tracker: Tracker, folder: Path, params: Mapping[str, Mapping[str, Any]]) -> Tracking:
    """Of trials whose folders lie in a test's folder."""
    return Tracking(tracker, params, lambda trial: folder / trial)


def ended(name: str, status: Status, reason: str | None = None, result: TrialResult | None = None) -> Trial:
    """A trial as its folder would tell it at its end."""
    return Trial(
        name=name,
        config=TrialConfig(),
        dataset_id="0123456789ab",
        test_id=None,
        status=status,
        reason=reason,
        history=(),
        result=result,
        record=None,
        missing=None,
    )


def epoch(number: int, loss: float, earlier: Sequence[float] = ()) -> dict[str, Any]:
    """What a trial reports at the end of an epoch, whose loss tells what else it measures."""
    before = [{"train/loss": value, "val/add_0.10d": 1 / value} for value in earlier]
    metrics = {"train/loss": loss, "val/add_0.10d": 1 / loss}
    return {"epoch": number, "epochs": 9, "metrics": metrics, "earlier": before}


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
