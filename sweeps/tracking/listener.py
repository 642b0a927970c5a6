"""The records of the trials of a sweep, made while they run: params, epochs, and all of it when one ends."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from epropnp.plain import flatten
from sweeps.running.listener import Listener
from sweeps.search.search import Planned
from sweeps.space import by_key
from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import end_of, facts_of
from sweeps.trial import Trial


class Tracking(Listener):
    """Tells a Tracker what trials do.

    Args:
        tracker: where to.
        folder: of a trial, by its name.

    Attributes:
        params: settings of the trials that were asked for, flattened, by name.
    """

    def __init__(self, tracker: Tracker, folder: Callable[[str], Path]) -> None:
        self._tracker, self._folder = tracker, folder
        self.params: dict[str, Mapping[str, Any]] = {}

    def asked(self, trial: Planned) -> None:
        """Its settings will be told with its run."""
        self.params[trial.name] = {**flatten(trial.config), **by_key(trial.build)}

    def started(self, trial: str) -> None:
        """Open the run."""
        self._tracker.start(trial, self.params[trial])

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """Log the metrics of an epoch, and those of earlier ones that a killed driver may have missed."""
        for epoch, metrics in enumerate(report["earlier"]):
            self._tracker.log_epoch(trial, epoch, metrics)
        self._tracker.log_epoch(trial, report["epoch"], report["metrics"])

    def ended(self, trial: Trial) -> None:
        """Close the run; a finished trial's scores and files go with it."""
        if trial.known is not None:  # of which there was nothing to hear
            for event in facts_of(self._folder, self._tracker.root)(trial.name):
                self._tracker.say(event)
        elif trial.status != "running":  # else another process has it
            self._tracker.say(end_of(trial, self._folder(trial.name), self._tracker.root))
