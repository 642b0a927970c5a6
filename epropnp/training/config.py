"""The config tree of one trial.

One tree serves the command line, the sweep's search space, the MLflow parameters and the checkpoint's header.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from epropnp.data.config import AugmentConfig
from epropnp.errors import UserError
from epropnp.inference.config import EvaluationConfig
from epropnp.models.config import ModelConfig
from epropnp.pnp.config import PnPConfig
from epropnp.settings import Range, check_ranges

BUILT_IN_TERMS = ("coord", "mc", "deriv_t", "deriv_r")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the terms of the training loss; a term of weight 0 is not computed."""

    coord: Annotated[float, Range(least=0)] = 1.0
    """Weight of the masked L1 loss on normalised object coordinates."""
    mc: Annotated[float, Range(least=0)] = 0.02
    """Weight of the Monte Carlo KL loss on the pose distribution."""
    deriv_t: Annotated[float, Range(least=0)] = 0.0
    """Weight of the derivative regularisation, translation."""
    deriv_r: Annotated[float, Range(least=0)] = 0.0
    """Weight of the derivative regularisation, rotation."""
    deriv_ramp: Annotated[float, Range(least=0, most=1)] = 0.0
    """Share of the training in which the weights of both derivative terms rise from 0 to theirs."""
    own: Annotated[tuple[tuple[str, float], ...], Range()] = ()
    """Name and weight of terms of yours (see `training.terms`)."""
    coord_mean: Literal["visible", "all"] = "visible"
    """Cells that `coord` averages over; the rest count 0."""
    symmetric: bool = False
    """Train on the equivalent true pose that the predicted coordinates are closest to."""

    def __post_init__(self) -> None:
        names = [name for name, _ in self.own]
        for name in names:
            if name in BUILT_IN_TERMS:
                raise UserError(f"loss.own: '{name}' is a term of its own; set loss.{name}")
            if names.count(name) > 1:
                raise UserError(f"loss.own: '{name}' is given twice")

    @property
    def weights(self) -> dict[str, float]:
        """Weight of every term by its name, without those of weight 0."""
        fixed = {name: getattr(self, name) for name in BUILT_IN_TERMS}
        return {name: weight for name, weight in (fixed | dict(self.own)).items() if weight}


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Optimiser, schedule and precision."""

    optimiser: Literal["rmsprop", "adamw"] = "rmsprop"
    """What turns gradients into updates."""
    lr: Annotated[float, Range(least=0)] = 1e-4
    """Peak learning rate."""
    weight_decay: Annotated[float, Range(least=0)] = 0.0
    """Decay of the weights; with `adamw`, biases and norms are left out."""
    schedule: Literal["step", "onecycle"] = "step"
    """How the learning rate goes: down in steps, or one cycle of warm-up and cosine."""
    milestones: Annotated[tuple[float, ...], Range(least=0, most=1)] = (0.3125, 0.625, 0.9375)
    """Shares of the training, in whole epochs, after which `step` divides the rate by 10."""
    epochs: Annotated[int, Range(least=0)] = 160
    """Length of the training; 0: only the untrained network is tested."""
    batch_size: Annotated[int, Range(least=1)] = 32
    """Images per update."""
    clip_norm: Annotated[float | None, Range(above=0)] = None
    """Largest gradient norm; `none`: gradients are used as they are."""
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    """Arithmetic of backbone and head, not of the pose layer; a CPU without instructions for `bf16` takes
    `float32` instead."""
    accumulate: Annotated[int, Range(least=1)] = 1
    """Parts that a batch is computed in, one after the other; they share one update."""
    ema: Annotated[float | None, Range(least=0, below=1)] = None
    """Decay of the averaged weights that are evaluated; `none`: the weights themselves are."""
    skip_limit: Annotated[float, Range(least=0)] = 0.0
    """Updates that may be left out because a loss or gradient was not finite: below 1 a share of all updates,
    if not 0 at least one of them; from 1 on their number."""
    compile: bool = False
    """Whether the network runs through torch.compile."""

    def skips(self, steps: int) -> int:
        """How many updates may be left out of a training of so many per epoch."""
        if self.skip_limit >= 1:
            return int(self.skip_limit)
        return max(round(self.skip_limit * self.epochs * steps), 1 if self.skip_limit else 0)

    @property
    def milestone_epochs(self) -> tuple[int, ...]:
        """Epochs after which `step` divides the rate: the milestones' shares of them, rounded down."""
        rounding = 1e-9  # a share is a quotient, whose product may fall short of the whole number
        return tuple(math.floor(share * self.epochs + rounding) for share in self.milestones)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How samples are drawn from the Arrow dataset."""

    points: Annotated[int, Range(least=4)] = 512
    """Correspondences per object that the pose layer sees in training."""
    real_repeats: Annotated[int, Range(least=0)] = 1
    """Visits per epoch to each photograph (0: left out); rendered images are visited once."""
    workers: Annotated[int | None, Range(least=0)] = None
    """Loader processes; the same batches for any number. Default: 0; with a GPU up to 8, as cores allow."""
    overfit: Annotated[int | None, Range(least=1)] = None
    """Train and evaluate on the first N images only, as they are: a sanity check."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that determines the numbers of one trial, given a dataset and a machine."""

    recipe: str = "paper"
    """Name of what all settings started from."""
    model: ModelConfig = field(default_factory=ModelConfig)
    pnp: PnPConfig = field(default_factory=PnPConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    seed: Annotated[int, Range(least=0)] = 0
    """Of all random choices."""
    threads: Annotated[int, Range(least=1)] = 1
    """CPU threads: part of the config, for the rounding of sums depends on them."""

    @property
    def cores(self) -> int:
        """What a trial keeps busy at least: its threads, and the loader processes that are asked for."""
        return self.threads + (self.data.workers or 0)

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.pnp.dof != 6:
            raise UserError("pnp.dof: trials train and score poses of 6 degrees of freedom; leave it at 6")
        if self.model.weights_file is not None and not self.model.pretrained:
            raise UserError(
                "model.weights_file would not be read: model.pretrained is off (--pretrained yes)"
            )
        if self.model.weights_file is not None and self.model.released is not None:
            raise UserError("model.weights_file would not be read: model.released holds the backbone, too")
        if self.model.start is not None and (self.model.weights_file or self.model.released):
            raise UserError("model.start holds all weights: leave model.weights_file and model.released out")
        if self.evaluation.hypotheses > self.evaluation.proposals:
            raise UserError(
                f"evaluation.hypotheses: {self.evaluation.hypotheses} is not at most "
                f"evaluation.proposals ({self.evaluation.proposals})"
            )
        if self.evaluation.hypotheses > 1 and self.evaluation.initial != "random":
            raise UserError(
                "evaluation.hypotheses: EPnP gives one pose; several need evaluation.initial=random"
            )
        if self.optim.batch_size % self.optim.accumulate:
            raise UserError(
                f"optim.accumulate: {self.optim.accumulate} does not divide the batch of "
                f"{self.optim.batch_size} into equal parts"
            )


def upgraded(stored: dict[str, Any], wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """A trial's config as any version stored it, in the terms of this one.

    Milestones used to be whole epochs. Many shares of a training come down to the same epochs; where those of
    `wanted`, a config in the terms of this version, do, the milestones are its.
    """
    optim = stored.get("optim", {})
    before = optim.get("milestones", ())
    if not any(isinstance(milestone, int) for milestone in before):
        return stored
    epochs = optim["epochs"]
    passed = tuple(min(epoch, epochs) for epoch in before)  # later ones were never reached
    shares = [epoch / max(epochs, 1) for epoch in passed]
    if wanted is not None:
        now = OptimConfig(epochs=epochs, milestones=tuple(wanted["optim"]["milestones"]))
        if now.milestone_epochs == passed or optim["schedule"] != "step":
            shares = list(now.milestones)
    return stored | {"optim": optim | {"milestones": shares}}
