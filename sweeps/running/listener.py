"""What happens to the trials of a sweep, told by name: the display, the records and the search listen."""

from collections.abc import Mapping
from typing import Any

from sweeps.search.search import Planned
from sweeps.trial import Trial


class Listener:
    """Hears of trials in the driver; what a listener does not define, it does nothing about."""

    def asked(self, trial: Planned) -> None:
        """A trial is to be run; of a search, nobody may have heard of it before."""

    def started(self, trial: str) -> None:
        """A trial's process begins, for the first time or after a failure."""

    def stepped(self, trial: str, progress: Mapping[str, Any]) -> None:
        """A trial came further within an epoch, told every few seconds.

        What it is `doing` (`running`, `validating` or `testing`), the `epoch` that is over, the `step` after
        it and the `steps` of an epoch; in most cases `memory_bytes`, and after updates `images_per_s` and
        their mean `loss`.
        """

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """An epoch ended: `epoch`, `epochs`, its `metrics`, and those of `earlier` epochs."""

    def paced(self, trial: str, seconds_per_epoch: float) -> None:
        """What an epoch will take, measured in the first minute of a trial whose epochs are longer."""

    def retried(self, trial: str) -> None:
        """A trial's process broke, and another one will go on from its checkpoint."""

    def ended(self, trial: Trial) -> None:
        """A trial ended, as its folder tells."""
