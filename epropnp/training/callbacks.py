"""What can be told to others while a trial trains: progress bars, trackers, schedulers."""

from typing import TYPE_CHECKING

from epropnp.training.result import EpochReport, StepReport

if TYPE_CHECKING:
    from epropnp.training.trainer import Trainer


class Callback:
    """Override what you want to hear. An exception ends the training; it goes on from its last checkpoint."""

    def on_start(self, trainer: "Trainer") -> None:
        """Before the first step; `trainer.state` says how far an earlier run came."""

    def on_step(self, report: StepReport) -> None:
        """After each update."""

    def on_epoch(self, report: EpochReport) -> None:
        """After each epoch's validation, when its checkpoint is written; epoch 0 is before training."""
