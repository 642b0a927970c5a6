"""The records of the trials of a sweep, made while they run: params, epochs, and all of it when one ends."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.running.listener import Listener
from sweeps.search.search import Planned
from sweeps.tracking.tracker import Tracker
from sweeps.tracking.trial_events import end_of, facts_of
from sweeps.tracking.trial_words import begun_tags, params_of
from sweeps.trial import Trial


class Tracking(Listener):
    """Tells a Tracker what trials do.

    Args:
        tracker: where to.
        folder: of a trial, by its name.
        varied: settings in which trials of the sweep differ.

    Attributes:
        params: telling settings of the trials that were asked for, by name.
    """

    def __init__(self, tracker: Tracker, folder: Callable[[str], Path], varied: Sequence[str] = ()) -> None:
        self._tracker, self._folder, self._varied = tracker, folder, varied
        self.params: dict[str, Mapping[str, Any]] = {}
        self._tags: dict[str, Mapping[str, str]] = {}

    def asked(self, trial: Planned) -> None:
        """Its settings will be told with its run."""
        self.params[trial.name] = params_of(trial.config, trial.build, trial.asked, self._varied)
        self._tags[trial.name] = begun_tags(trial.config)

    def started(self, trial: str) -> None:
        """Open the run."""
        self._tracker.start(trial, self.params[trial], self._tags.get(trial))

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """Log the metrics of an epoch, and those of earlier ones that a killed driver may have missed."""
        for epoch, metrics in enumerate(report["earlier"]):
            self._tracker.log_epoch(trial, epoch, metrics)
        self._tracker.log_epoch(trial, report["epoch"], report["metrics"])

    def ended(self, trial: Trial) -> None:
        """Close the run; a finished trial's scores and files go with it."""
        if trial.known is not None:  # of which there was nothing to hear
            for event in facts_of(self._folder, self._tracker.root, self._varied)(trial.name):
                self._tracker.say(event)
        elif trial.status != "running":  # else another process has it
            self._tracker.say(end_of(trial, self._folder(trial.name), self._tracker.root))
