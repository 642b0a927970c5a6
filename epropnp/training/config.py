"""The config tree of one trial, and its way to and from plain dictionaries.

One tree serves the command line, the sweep's search space, the MLflow parameters and the checkpoint's header.
"""

import dataclasses
import hashlib
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

from epropnp.data.config import AugmentConfig, DetectorNoise
from epropnp.errors import UserError, nearest
from epropnp.models.config import ModelConfig
from epropnp.pnp.config import PnPConfig
from epropnp.settings import Range, check_ranges

T = TypeVar("T")
Plain = str | int | float | bool
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
    milestones: Annotated[tuple[int, ...], Range(least=0)] = (50, 100, 150)
    """Epochs after which `step` divides the rate by 10."""
    epochs: Annotated[int, Range(least=0)] = 160
    """Length of the training; 0: only the untrained network is tested."""
    batch_size: Annotated[int, Range(least=1)] = 32
    """Images per update."""
    clip_norm: Annotated[float | None, Range(above=0)] = None
    """Largest gradient norm; `none`: gradients are used as they are."""
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    """Arithmetic of backbone and head, not of the pose layer."""
    accumulate: Annotated[int, Range(least=1)] = 1
    """Parts that a batch is computed in, one after the other; they share one update."""
    ema: Annotated[float | None, Range(least=0, below=1)] = None
    """Decay of the averaged weights that are evaluated; `none`: the weights themselves are."""
    skip_limit: Annotated[int, Range(least=0)] = 0
    """Updates that may be left out because a loss or gradient was not finite."""
    compile: bool = False
    """Whether the network runs through torch.compile."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How samples are drawn from the Arrow dataset."""

    points: Annotated[int, Range(least=4)] = 512
    """Correspondences per object that the pose layer sees in training."""
    real_repeats: Annotated[int, Range(least=0)] = 1
    """Visits per epoch to each photograph (0: left out); rendered images are visited once."""
    workers: Annotated[int, Range(least=0)] = 0
    """Loader processes; the batches are the same for any number."""
    overfit: Annotated[int | None, Range(least=1)] = None
    """Train and evaluate on the first N images only, as they are: a sanity check."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How poses are inferred on the validation and test splits."""

    proposals: Annotated[int, Range(least=1)] = 64
    """Random-sample LM starts."""
    iterations: Annotated[int, Range(least=0)] = 10
    """LM steps on the best start."""
    initial: Literal["random", "epnp"] = "random"
    """What starts the refinement: random-sample LM, or EPnP and Gauss-Newton as the report."""
    hypotheses: Annotated[int, Range(least=1)] = 1
    """Different poses refined; of several, the most probable one is the prediction."""
    samples: Annotated[int, Range(least=0)] = 256
    """Samples of each test image's pose posterior, for its calibration; 0: none."""
    temperature: Literal["validation", "none"] = "validation"
    """What corrects the posteriors' width and tails."""
    batch_size: Annotated[int, Range(least=1)] = 50
    """Images evaluated at once."""
    test_boxes: Literal["true", "detected"] = "true"
    """What the crops of the test split are cut around."""
    detector: DetectorNoise = field(default_factory=DetectorNoise)  # of all evaluation boxes


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
        if self.evaluation.hypotheses > self.evaluation.proposals:
            raise UserError(
                f"evaluation.hypotheses: {self.evaluation.hypotheses} is not at most "
                f"evaluation.proposals ({self.evaluation.proposals})"
            )
        if self.evaluation.hypotheses > 1 and self.evaluation.initial == "epnp":
            raise UserError(
                "evaluation.hypotheses: EPnP gives one pose; several need evaluation.initial=random"
            )
        if self.optim.batch_size % self.optim.accumulate:
            raise UserError(
                f"optim.accumulate: {self.optim.accumulate} does not divide the batch of "
                f"{self.optim.batch_size} into equal parts"
            )


def to_dict(config: Any) -> dict[str, Any]:
    """Nested dictionary of plain values (tuples become lists)."""
    result: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return result


def flatten(config: Any) -> dict[str, Plain]:
    """One level of dotted keys, as MLflow's parameters want them."""
    return _flat(to_dict(config))


def differing(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Plain | None, Plain]]:
    """Dotted key and both values of the settings that differ between two of `to_dict`'s dictionaries."""
    earlier = _flat(before)
    return [(key, earlier.get(key), value) for key, value in _flat(now).items() if earlier.get(key) != value]


def _flat(values: dict[str, Any]) -> dict[str, Plain]:
    def walk(prefix: str, value: Any) -> typing.Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(f"{prefix}.{key}" if prefix else key, inner)
        else:
            yield prefix, value if isinstance(value, str | int | float | bool) else str(value)

    return dict(walk("", values))


def identity(config: TrialConfig) -> dict[str, Any]:
    """The settings that numbers depend on: all but the number of loader processes."""
    values = to_dict(config)
    del values["data"]["workers"]
    return values


def config_hash(config: TrialConfig) -> str:
    """Twelve hex digits that change whenever a setting of `identity` does."""
    text = json.dumps(identity(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def from_dict(kind: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build a config dataclass from a nested dictionary.

    Raises:
        UserError: a key that the config does not have, naming the nearest that it has; a value of another
            kind than the setting's.
    """
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise UserError(f"{where}: unknown key '{key}'{nearest(key, hints)}")
    return kind(**{k: convert(hints[k], v, f"{where}.{k}") for k, v in values.items()})


def without_none(hint: Any) -> Any:
    """`X` for the type hint `X | None`; any other hint as it is."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    return next(option for option in typing.get_args(hint) if option is not type(None))


def convert(hint: Any, value: Any, where: str) -> Any:
    """The value as its setting's type has it; UserError, saying where, if it is of another kind."""
    bare = without_none(hint)
    if bare is not hint:
        return None if value is None else convert(bare, value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise UserError(f"{where}: {value!r} is not a group of settings")
        return from_dict(hint, value, where)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return _convert_tuple(arguments, value, where)
    if typing.get_origin(hint) is Literal:
        if value not in arguments:
            allowed = ", ".join(map(str, arguments))
            raise UserError(f"{where}: '{value}' is not one of {allowed}")
        return value
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{where}: {value!r} is not {_KINDS[hint]}")
    return hint(value)


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _convert_tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: {value!r} is not a list")
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise UserError(f"{where}: {value!r} does not have {len(hints)} values")
    return tuple(convert(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(hints, value, strict=True)))
