"""A trial whose epochs only leave their number in the weights, and whose scores are written by the test."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from epropnp.data.dataset import CropDataset
from epropnp.inference.poses import Inference
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.training import checkpoint as checkpoint_module
from epropnp.training import trainer as trainer_module
from epropnp.training.callbacks import Callback
from epropnp.training.result import Metrics
from epropnp.training.trainer import Trainer

AVERAGED = 0.5  # added to the number that the averaged weights hold
SELECTED_BY = ("add_area", "mspd_ar", "add_auc_10cm")
Scores = Callable[[str, float], Metrics]  # of a split, by the number in the weights


@dataclass
class Asked:
    """What was asked of the network: by whom, on which split, with which weights and temperatures."""

    what: str
    split: str
    number: float
    temperatures: Temperatures | None = None


@dataclass
class Shown:
    """In place of predictions: where they come from."""

    asked: Asked
    sample_id: list[str] = field(default_factory=lambda: ["a", "b", "c", "d", "e"])

    @property
    def temperatures(self) -> Temperatures:
        return self.asked.temperatures or Temperatures()

    def write(self, file: Path) -> None:
        file.write_text(f"{self.asked.split} {self.asked.number}")


class Scripted(Trainer):
    """Its epochs train nothing."""

    def _train_epoch(self, epoch: int, callbacks: Sequence[Callback]) -> Metrics:
        mark(self, epoch)
        return {"train/loss": 100.0 + epoch, "train/other": -1.0}


def mark(trainer: Trainer, number: float) -> None:
    """Leave a number in the weights, and another one in their average."""
    nn.init.constant_(trainer.net.output.get_parameter("bias"), number)
    if trainer.updates.average is not None:
        nn.init.constant_(trainer.updates.average.module.output.bias, number + AVERAGED)


def number_in(weights: dict[str, torch.Tensor]) -> float:
    """What `mark` left in a state dict."""
    return float(weights["output.bias"][0])


def script(patch: pytest.MonkeyPatch, scores: Scores) -> list[Asked]:
    """Put the scores in place of all evaluation; returns what is asked of it from now on."""
    asked: list[Asked] = []

    def predict(inference: Inference, data: CropDataset, given: Temperatures | None, *_: Any) -> Shown:
        asked.append(Asked("poses", data.records.name, number_in(inference.net.state_dict()), given))
        return Shown(asked[-1])

    def fit(inference: Inference, data: CropDataset, shown: Shown, *_: Any) -> Temperatures:
        assert asked[-1] == shown.asked  # what was said last, of the same weights on the same split
        number = number_in(inference.net.state_dict())
        asked.append(Asked("temperatures", data.records.name, number))
        return Temperatures(covariance=Temperature(scale=number + 10, tail=0.125))

    def score(shown: Shown, *_: Any) -> Metrics:
        return scores(shown.asked.split, shown.asked.number)

    def errors_beside(shown: Shown, objects: object, file: Path, *_: Any) -> Shown:
        assert file.read_text() == f"{shown.asked.split} {shown.asked.number}"  # it lies there already
        return shown

    patch.setattr(trainer_module, "predict", predict)
    patch.setattr(trainer_module, "fit_temperatures", fit)
    patch.setattr(trainer_module, "score", score)
    patch.setattr(trainer_module, "errors_beside", errors_beside)
    patch.setattr(trainer_module, "mean_scores", score)
    return asked


class Clock:
    """A time that only tests move, read by trainer and checkpoints."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        watch: Any = SimpleNamespace(monotonic=lambda: self.now_s)
        patch.setattr(trainer_module, "time", watch)
        patch.setattr(checkpoint_module, "time", watch)
