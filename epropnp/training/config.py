"""The config tree of one trial, and its way to and from plain dictionaries.

One tree serves the command line, the sweep's search space, the MLflow parameters and the checkpoint's header.
"""

import dataclasses
import hashlib
import json
import types
import typing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from epropnp.data.augment import AugmentConfig, DetectorNoise
from epropnp.errors import UserError, nearest
from epropnp.models.network import ModelConfig
from epropnp.pnp import PnPConfig

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """Weights of the terms of the training loss; a term of weight 0 is not computed."""

    coord: float = 1.0  # masked L1 on normalised object coordinates
    mc: float = 0.02  # Monte Carlo KL loss on the pose distribution
    deriv_t: float = 0.0  # derivative regularisation, translation
    deriv_r: float = 0.0  # derivative regularisation, rotation


@dataclass(frozen=True, kw_only=True)
class OptimConfig:
    """Optimiser, schedule and precision."""

    optimiser: Literal["rmsprop", "adamw"] = "rmsprop"
    lr: float = 1e-4  # peak learning rate
    weight_decay: float = 0.0
    schedule: Literal["step", "onecycle"] = "step"
    milestones: tuple[int, ...] = (50, 100, 150)  # epochs after which `step` divides the rate by 10
    epochs: int = 160
    batch_size: int = 32
    clip_norm: float | None = None  # largest gradient norm; None: gradients are used as they are
    precision: Literal["float32", "bf16"] = "float32"  # of backbone and head; the pose layer is float32


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How samples are drawn from the Arrow dataset."""

    points: int = 512  # correspondences per object that the pose layer sees in training
    real_repeats: int = 1  # visits per epoch to each photograph; rendered images are visited once
    workers: int = 0  # loader processes; the batches are the same for any number
    augment: AugmentConfig = field(default_factory=AugmentConfig)


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How poses are inferred on the validation and test splits."""

    proposals: int = 64  # random-sample LM starts
    iterations: int = 10  # LM steps on the best start
    initial: Literal["random", "epnp"] = "random"  # random-sample LM, or EPnP and Gauss-Newton as the report
    samples: int = 256  # of each test image's pose posterior, for its calibration; 0: none
    batch_size: int = 50
    test_boxes: Literal["true", "detected"] = "true"  # what the crops of the test split are cut around
    detector: DetectorNoise = field(default_factory=DetectorNoise)  # random errors of all evaluation boxes


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that determines the numbers of one trial, given a dataset and a machine."""

    recipe: str = "paper"
    model: ModelConfig = field(default_factory=ModelConfig)
    pnp: PnPConfig = field(default_factory=PnPConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    data: DataConfig = field(default_factory=DataConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    seed: int = 0
    threads: int = 1  # CPU threads: part of the config, for the rounding of sums depends on them

    def __post_init__(self) -> None:
        if self.pnp.dof != 6:
            raise UserError("pnp.dof: trials train and score poses of 6 degrees of freedom; leave it at 6")


def to_dict(config: Any) -> dict[str, Any]:
    """Nested dictionary of plain values (tuples become lists)."""
    result: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return result


def flatten(config: Any) -> dict[str, str | int | float | bool]:
    """One level of dotted keys, as MLflow's parameters want them."""

    def walk(prefix: str, value: Any) -> typing.Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(f"{prefix}.{key}" if prefix else key, inner)
        else:
            yield prefix, value if isinstance(value, str | int | float | bool) else str(value)

    return dict(walk("", to_dict(config)))


def config_hash(config: Any) -> str:
    """Twelve hex digits that change whenever any setting does."""
    text = json.dumps(to_dict(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def from_dict(kind: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build a config dataclass from a nested dictionary.

    Raises:
        UserError: a key that the config does not have, naming the nearest that it has.
    """
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in hints:
            raise UserError(f"{where}: unknown key '{key}'{nearest(key, hints)}")
    return kind(**{k: _convert(hints[k], v, f"{where}.{k}") for k, v in values.items()})


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value, where)
    if typing.get_origin(hint) is tuple:
        return tuple(value)
    options = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else ()
    if options and value is not None:
        return _convert(next(o for o in options if o is not type(None)), value, where)
    if typing.get_origin(hint) is Literal and value not in typing.get_args(hint):
        allowed = ", ".join(map(str, typing.get_args(hint)))
        raise UserError(f"{where}: '{value}' is not one of {allowed}")
    return float(value) if hint is float and isinstance(value, int) else value
