"""A trial that takes seconds, and a callback that cuts it short."""

import dataclasses
from pathlib import Path
from typing import Any

from epropnp.data.config import AugmentConfig
from epropnp.inference.config import EvaluationConfig
from epropnp.models.config import ModelConfig
from epropnp.pnp import PnPConfig
from epropnp.training.callbacks import Callback
from epropnp.training.config import DataConfig, LossConfig, OptimConfig, TrialConfig
from epropnp.training.result import EpochReport, Metrics, StepReport, TrialResult


def tiny(**changes: Any) -> TrialConfig:
    config = TrialConfig(
        model=ModelConfig(
            backbone="test_resnet", input_px=64, deconv_stride=16, head_width=16, weight_norm="v2"
        ),
        pnp=PnPConfig(amis_samples=16),
        loss=LossConfig(mc=0.02, deriv_t=0.1, deriv_r=0.1),
        optim=OptimConfig(
            optimiser="adamw", lr=2e-3, schedule="onecycle", epochs=3, batch_size=16, clip_norm=5.0
        ),
        data=DataConfig(points=64, augment=AugmentConfig(color=0.2)),
        evaluation=EvaluationConfig(proposals=8, iterations=5),
    )
    return dataclasses.replace(config, **changes)


def result_of(folder: Path) -> TrialResult:
    """What a finished trial left."""
    return TrialResult.from_json((folder / "result.json").read_text())


def with_optim(**changes: Any) -> TrialConfig:
    config = tiny()
    return dataclasses.replace(config, optim=dataclasses.replace(config.optim, **changes))


def reproducible(metrics: Metrics) -> Metrics:
    """Those of an epoch that are the same whenever and however often it is trained."""
    return {key: value for key, value in metrics.items() if not key.startswith(("time/", "usage/"))}


class Killed(Exception):
    """Stands for the end of the process in the middle of a training."""


class Stop(Callback):
    """Ends a training after an epoch, or after an update of an epoch."""

    def __init__(self, epoch: int, step: int | None = None) -> None:
        self.epoch, self.step = epoch, step

    def on_step(self, report: StepReport) -> None:
        if (report.epoch, report.step) == (self.epoch, self.step):
            raise Killed

    def on_epoch(self, report: EpochReport) -> None:
        if report.epoch == self.epoch:
            raise Killed
