"""Where the time of a training step goes, and the price of the pose layer: `make bench`.

A step of the study's ResNet-34 (recipe `paper`: `deconv` head, 32 crops of 256 px), or of the ResNet of
recipe `quick` with `--small`, on crops of rendered cats that the loader reads and augments. Its laps:

    data                read and augment one batch in this process, send it to the device
    network forward     backbone and head
    losses forward      sampling of correspondences, the pose layer, all terms of the loss
    losses backward     from the loss to the head's output maps
    network backward    from the maps to the weights
    optimiser           clipping and update

The price of the pose layer is such a step, less the data, relative to one that ends in a trivial loss on the
same network's maps: a plain timm training step. The kinds of step take turns and the price is the median over
the rounds, so that drifts of the machine cancel. On CUDA nothing waits between the laps; events time them.
"""

import dataclasses
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
import tyro
from torch import Tensor

from epropnp.data.dataset import Batch
from epropnp.models.network import CorrespondenceNet, Prediction
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.evaluator import as_image
from epropnp.training.objective import Objective
from epropnp.training.optim import Updates
from epropnp.training.precision import autocast
from epropnp.training.recipes import RECIPES
from pipelines.build import BuildConfig, build

TARGET = 1.25  # largest price of the pose layer: ResNet-34, batch 32, 256 px
PLAIN = "plain timm step"
LAPS = ("data", "network forward", "losses forward", "losses backward", "network backward", "optimiser")
Loss = Callable[[Prediction, Batch], Tensor]


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What to time."""

    small: bool = False
    """The sizes of recipe `quick` in place of `paper`."""
    precisions: tuple[str, ...] = ("float32", "bf16")
    compile: bool = True
    """Whether to time the compiled pose layer, too; compiling takes half a minute."""
    rounds: int = 20 if torch.cuda.is_available() else 3
    """Steps of each kind, after one to warm up."""
    device: str = "cuda" if torch.cuda.is_available() else "cpu"


class Stopwatch:
    """Seconds between calls of `lap`, on the device's own clock where it has one."""

    def __init__(self, device: torch.device) -> None:
        self.events = device.type == "cuda"
        self.marks: list[tuple[str, Any]] = []
        self.lap("start")

    def lap(self, name: str) -> None:
        """Ends the lap of this name, and begins the next."""
        if not self.events:
            self.marks.append((name, time.perf_counter()))
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self.marks.append((name, event))

    def laps(self) -> dict[str, float]:
        """Seconds by name of the lap."""
        if self.events:
            torch.cuda.synchronize()
        pairs = itertools.pairwise(self.marks)
        return {name: self._between(before, after) for (_, before), (name, after) in pairs}

    def _between(self, before: Any, after: Any) -> float:
        return float(before.elapsed_time(after) / 1e3 if self.events else after - before)


class Bench:
    """One network and its optimiser, the batches that it sees, and the losses that it may be given."""

    def __init__(self, trial: TrialConfig, dataset: Path, config: BenchConfig) -> None:
        self.trial, self.device = trial, torch.device(config.device)
        torch.manual_seed(trial.seed)
        self.data = TrialData(trial, dataset, self.device)
        self.net = CorrespondenceNet(trial.model).to(self.device).to(memory_format=torch.channels_last)
        self.net.train()
        objective = self._objective(compiled=False)
        self.updates = Updates(self.net, objective, trial.optim, self.data.steps)
        self.losses: dict[str, Loss] = {PLAIN: _trivial_loss, "compile off": self._loss(objective)}
        if config.compile:
            self.losses["compile on"] = self._loss(self._objective(compiled=True))
        self.batches = (parts for epoch in itertools.count(1) for parts in self.data.batches(epoch))

    def step(self, loss_of: Loss) -> dict[str, float]:
        """Seconds of one training step, by lap."""
        watch = Stopwatch(self.device)
        (batch,) = next(self.batches)
        watch.lap("data")
        self.updates.start(0)
        with autocast(self.device, self.trial.optim.precision):
            prediction = self.net(as_image(batch.image))
        watch.lap("network forward")
        loss = self.updates.scaler.scale(loss_of(prediction, batch))
        watch.lap("losses forward")
        outputs = prediction.coords, prediction.weight_logits, prediction.log_scale
        gradients = torch.autograd.grad(loss, outputs)
        watch.lap("losses backward")
        torch.autograd.backward(outputs, gradients)
        watch.lap("network backward")
        self.updates.clip()
        self.updates.apply(0)
        watch.lap("optimiser")
        return watch.laps()

    def rounds(self, count: int) -> dict[str, list[dict[str, float]]]:
        """Laps of `count` steps of each kind, which take turns."""
        self.step(self._all_losses)  # libraries, compilation
        found: dict[str, list[dict[str, float]]] = {name: [] for name in self.losses}
        for turn in range(count):
            for name in list(self.losses)[:: -1 if turn % 2 else 1]:  # to and fro: none always comes first
                found[name].append(self.step(self.losses[name]))
        return found

    def _all_losses(self, prediction: Prediction, batch: Batch) -> Tensor:
        return torch.stack([loss_of(prediction, batch) for loss_of in self.losses.values()]).sum()

    def _objective(self, compiled: bool) -> Objective:
        pnp = dataclasses.replace(self.trial.pnp, compile=compiled)
        objective = Objective(dataclasses.replace(self.trial, pnp=pnp), self.data.dataset.objects)
        return objective.to(self.device).train()

    def _loss(self, objective: Objective) -> Loss:
        generator = torch.Generator(self.device).manual_seed(self.trial.seed)
        return lambda prediction, batch: objective(prediction, batch, generator).total


def _trivial_loss(prediction: Prediction, batch: Batch) -> Tensor:
    maps = prediction.coords, prediction.weight_logits, prediction.log_scale
    return torch.stack([x.square().mean() for x in maps]).sum()


def print_shares(found: Mapping[str, list[dict[str, float]]]) -> None:
    """Median seconds of each lap, and its share of their sum: a column for each kind of step."""
    medians = [
        {lap: statistics.median(step[lap] for step in steps) for lap in LAPS} for steps in found.values()
    ]
    totals = [sum(median.values()) for median in medians]
    print(" " * 20 + "".join(f"{name:>24s}" for name in found))
    for lap in LAPS:
        cells = [(median[lap], median[lap] / total) for median, total in zip(medians, totals, strict=True)]
        print(f"  {lap:18s}" + "".join(f"{seconds:13.4f} s  {share:6.1%} " for seconds, share in cells))
    print(f"  {'all':18s}" + "".join(f"{total:13.4f} s" + " " * 9 for total in totals))


def print_prices(found: Mapping[str, list[dict[str, float]]], target: float | None) -> None:
    """Each kind of step relative to the plain one beside it, and what its losses alone add to that."""
    losses = {
        name: [s["losses forward"] + s["losses backward"] for s in steps] for name, steps in found.items()
    }
    without_data = {name: [sum(s.values()) - s["data"] for s in steps] for name, steps in found.items()}
    for name in [name for name in found if name != PLAIN]:
        prices = [a / b for a, b in zip(without_data[name], without_data[PLAIN], strict=True)]
        price = statistics.median(prices)
        extra = statistics.median(losses[name]) - statistics.median(losses[PLAIN])
        share = extra / statistics.median(without_data[PLAIN])
        verdict = "" if target is None else f"; {'within' if price <= target else 'ABOVE'} {target}x"
        print(
            f"  price of the pose layer, {name}: {price:.3f}x a {PLAIN} ({min(prices):.3f} to "
            f"{max(prices):.3f}); its laps alone add {extra:.4f} s, {share:.1%}{verdict}"
        )


def trial_of(small: bool) -> TrialConfig:
    """The recipe's ResNet with its `deconv` head, from random weights."""
    recipe = RECIPES["quick" if small else "paper"]
    backbone = "resnet10t" if small else "resnet34"
    return recipe.trial(backbone, "deconv", recipe.loss_weights[0], 0, pretrained=False)


def main(config: BenchConfig) -> None:
    cv2.setNumThreads(1)
    trial = trial_of(config.small)
    cats = BuildConfig(
        objects=("cat",), train=32, validation=1, test=1, mesh_resolution=40, background_count=8
    )
    with tempfile.TemporaryDirectory() as folder:
        dataset = build(cats, Path(folder), workers=1, progress=False)
        for precision in config.precisions:
            optim = dataclasses.replace(trial.optim, precision=precision)  # type: ignore[arg-type]
            print(
                f"Training step of {trial.model.backbone}, {trial.model.head} head, {optim.batch_size} crops "
                f"of {trial.model.input_px} px, {precision}, on {config.device}, "
                f"{torch.get_num_threads()} threads; medians of {config.rounds}"
            )
            found = Bench(dataclasses.replace(trial, optim=optim), dataset, config).rounds(config.rounds)
            print_shares(found)
            print_prices(found, None if config.small else TARGET)


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
