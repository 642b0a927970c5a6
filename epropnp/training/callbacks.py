"""What can be told to others while a trial trains: progress bars, trackers, schedulers."""

from pathlib import Path
from typing import Protocol

from epropnp.models.network import CorrespondenceNet
from epropnp.training.checkpoint import TrialState
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.result import EpochReport, StepReport


class Training(Protocol):
    """What a callback may look at: the trainer."""

    config: TrialConfig
    data: TrialData
    net: CorrespondenceNet
    state: TrialState
    work_dir: Path


class Callback:
    """Override what you want to hear. An exception ends the training; it goes on from its last checkpoint."""

    def on_start(self, trainer: Training) -> None:
        """Before the first step; `trainer.state` says how far an earlier run came."""

    def on_step(self, report: StepReport) -> None:
        """After each update."""

    def on_scored(self) -> None:
        """After each batch of an evaluation of the validation or test split, or of a fit of temperatures."""

    def on_epoch(self, report: EpochReport) -> None:
        """After each epoch's validation, when its checkpoint is written; epoch 0 is before training."""
