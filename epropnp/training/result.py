"""What a trial tells the world: a report after each epoch, and one result at its end."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Metrics = dict[str, float]


def validation_scores(metrics: Metrics) -> Metrics:
    """Those of an epoch's metrics, by the names of the scores."""
    return {name.removeprefix("val/"): value for name, value in metrics.items() if name.startswith("val/")}


@dataclass(frozen=True, kw_only=True)
class EpochReport:
    """State of a trial after an epoch.

    Attributes:
        epoch: 0 before training, then 1 to `epochs`.
        epochs: how many there will be.
        metrics: `train/...`, `val/...`, `time/...` and `usage/...` values by name.
        seconds: spent so far, over all restarts.
        checkpoint: the file from which this epoch can be gone on from.
    """

    epoch: int
    epochs: int
    metrics: Metrics
    seconds: float
    checkpoint: Path


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """State of a trial after an update.

    Attributes:
        epoch, step: both count from 1.
        steps: how many an epoch has.
        loss: scalar, on the device: reading it waits for the device.
        skipped: updates left out so far, over all epochs.
    """

    epoch: int
    step: int
    steps: int
    loss: "Tensor"
    skipped: int


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The row of one trial in the comparison table, and how it came about."""

    recipe: str
    backbone: str
    head: str
    loss_weight: float
    pretrained: bool
    weights_sha256: str | None  # of the pretrained backbone's tensors
    parameters: int
    seconds: float
    epochs: int
    best_epoch: int
    skipped: int  # updates left out because a loss or gradient was not finite
    seed: int
    config_hash: str
    dataset_id: str
    test_images: int
    val_before: Metrics  # of epoch 0, on the validation images that epochs are scored on
    val_after: Metrics  # of the best epoch, on the same
    test: Metrics
    temperatures: dict[str, Metrics] = field(
        default_factory=dict
    )  # found on validation, by what they correct
    train_loss: list[float] = field(default_factory=list)  # mean of epochs 1, 2, ...
    val_add: list[float] = field(default_factory=list)  # ADD(-S) 0.10d after epochs 0, 1, ...
    test_boxes: str | None = None  # true or detected; older results do not say
    validation: Metrics = field(default_factory=dict)  # of the tested weights, on all validation images

    @property
    def validated(self) -> Metrics:
        """What validation says of the tested weights; older results know it of the epochs' images only."""
        return self.validation or self.val_after

    def to_json(self) -> str:
        """Readable JSON."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "TrialResult":
        """Inverse of `to_json`. UserError where the text is not a result."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"not a trial result ({error}); delete the file and run the trial again"
            ) from error
