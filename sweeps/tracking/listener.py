"""The records of the trials of a sweep, made while they run: params, epochs, and all of it when one ends."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import end_of
from sweeps.trial import Trial


class Tracking:
    """Tells a Tracker what trials do.

    Args:
        tracker: where to.
        params: trial name -> its config, flattened.
        folder: of a trial, by its name.
    """

    def __init__(
        self, tracker: Tracker, params: Mapping[str, Mapping[str, Any]], folder: Callable[[str], Path]
    ) -> None:
        self._tracker, self._params, self._folder = tracker, params, folder

    def started(self, trial: str) -> None:
        """Open the run."""
        self._tracker.start(trial, self._params[trial])

    def stepped(self, trial: str, progress: Mapping[str, Any]) -> None:
        """MLflow hears of whole epochs."""

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """Log the metrics of an epoch, and those of earlier ones that a killed driver may have missed."""
        for epoch, metrics in enumerate(report["earlier"]):
            self._tracker.log_epoch(trial, epoch, metrics)
        self._tracker.log_epoch(trial, report["epoch"], report["metrics"])

    def paced(self, trial: str, seconds_per_epoch: float) -> None:
        """MLflow has the time of every epoch."""

    def retried(self, trial: str) -> None:
        """The run stays open."""

    def ended(self, trial: Trial) -> None:
        """Close the run; a finished trial's scores and files go with it."""
        if trial.status != "running":  # else another process has it
            self._tracker.say(end_of(trial, self._folder(trial.name), self._tracker.root))
