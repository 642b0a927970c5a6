"""Where the time of a training step goes, and the price of the pose layer: `make bench`.

A step of the study's networks (recipe `paper`, 32 crops of 256 px; without a GPU its ResNet-34 alone), or
of those of recipe `quick` with `--small`, on crops of rendered cats that are read and augmented. Its laps:

    data                read and augment one batch in this process, or wait for processes that do, send it
    network forward     backbone and head
    losses forward      sampling of correspondences, the pose layer, all terms of the loss
    losses backward     from the loss to the head's output maps
    network backward    from the maps to the weights
    optimiser           clipping and update

The price of the pose layer is such a step, less the data, relative to one that ends in a trivial loss on the
same network's maps: a plain timm training step. The kinds of step take turns and the price is the median over
the rounds, so that drifts of the machine cancel. On CUDA nothing waits between the laps; events time them.

Precision `tf32` is float32 whose products and convolutions may round their factors to 10 bits; in `float32`
they may not. A training in float32 has torch's defaults: convolutions round, products do not.
"""

import dataclasses
import itertools
import os
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
from epropnp.inference.poses import as_image
from epropnp.inference.precision import autocast
from epropnp.models.network import CorrespondenceNet, Prediction
from epropnp.pnp.compiled import compiled_or_plain
from epropnp.training.config import TrialConfig
from epropnp.training.data import TrialData
from epropnp.training.graphed import Loss as GraphedLoss
from epropnp.training.graphed import graphed
from epropnp.training.graphed_network import graphed_network
from epropnp.training.objective import Objective
from epropnp.training.optim import Updates
from epropnp.training.recipes import RECIPES, study_head
from pipelines.building.build import BuildConfig, build

CUDA = torch.cuda.is_available()
TARGET = 1.25  # largest price of the pose layer: ResNet-34, batch 32, 256 px
PLAIN = "plain timm step"
LAPS = ("data", "network forward", "losses forward", "losses backward", "network backward", "optimiser")
Loss = Callable[[Prediction, Batch], Tensor]
Net = Callable[[Tensor], Prediction]


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What to time."""

    small: bool = False
    """The sizes of recipe `quick` in place of `paper`."""
    backbones: tuple[str, ...] = ()
    """Default: all of the study's with a GPU, else its ResNet-34."""
    precisions: tuple[str, ...] = ("float32", "tf32", "bf16") if CUDA else ("float32", "bf16")
    compile: bool = True
    """Whether to time the compiled pose layer, too; compiling takes half a minute."""
    compile_network: bool = CUDA
    """Whether to time the plain step of the compiled network, too (`optim.compile`): a minute each."""
    rounds: int = 20 if CUDA else 3
    """Steps of each kind, after one to warm up."""
    workers: int = 8 if CUDA else 0
    """Processes that read and augment. 0: none, the data's lap is the work itself."""
    loaders: tuple[int, ...] = ()
    """Numbers of such processes whose samples per second are measured alone, first."""
    device: str = "cuda" if CUDA else "cpu"


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
        self.kinds: dict[str, tuple[Net, Loss]] = {
            PLAIN: (self.net, _trivial_loss),
            "eager": (self.net, self._loss(objective)),
        }
        part = torch.Size((trial.optim.batch_size, 3, trial.model.input_px, trial.model.input_px))
        fast = graphed_network(self.net, self.net, part, trial.optim.precision)
        if self.device.type == "cuda":
            losses = self._loss(graphed(self._objective(compiled=False), self.device))
            self.kinds |= {"plain, graph": (fast, _trivial_loss), "graph": (fast, losses)}
        if config.compile:
            compiled = self._loss(graphed(self._objective(compiled=True), self.device))
            self.kinds["layer compiled"] = fast, compiled
        if config.compile_network:
            self.kinds["network compiled"] = compiled_or_plain(self.net), _trivial_loss
        self.peaks = dict.fromkeys(self.kinds, 0)  # bytes of the device's memory
        self.batches = (parts for epoch in itertools.count(1) for parts in self.data.batches(epoch))

    def step(self, kind: str) -> dict[str, float]:
        """Seconds of one training step, by lap."""
        net, loss_of = self.kinds[kind]
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        watch = Stopwatch(self.device)
        (batch,) = next(self.batches)
        watch.lap("data")
        self.updates.start(0)
        with autocast(self.device, self.trial.optim.precision):
            prediction = net(as_image(batch.image))
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
        if self.device.type == "cuda":
            self.peaks[kind] = max(self.peaks[kind], torch.cuda.max_memory_allocated())
        return watch.laps()

    def rounds(self, count: int) -> dict[str, list[dict[str, float]]]:
        """Laps of `count` steps of each kind, which take turns."""
        for name in [*self.kinds, *self.kinds]:
            self.step(name)  # libraries, compilation
        found: dict[str, list[dict[str, float]]] = {name: [] for name in self.kinds}
        for turn in range(count):
            for name in list(self.kinds)[:: -1 if turn % 2 else 1]:  # to and fro: none always comes first
                found[name].append(self.step(name))
        return found

    def _objective(self, compiled: bool) -> Objective:
        pnp = dataclasses.replace(self.trial.pnp, compile=compiled)
        objective = Objective(dataclasses.replace(self.trial, pnp=pnp), self.data.dataset.objects)
        return objective.to(self.device).train()

    def _loss(self, objective: GraphedLoss) -> Loss:
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


def print_rates(found: Mapping[str, list[dict[str, float]]], peaks: Mapping[str, int], batch: int) -> None:
    """Samples per second of each kind of step, by the median of all of it, and the most memory it took."""
    for name, steps in found.items():
        rate = batch / statistics.median(sum(step.values()) for step in steps)
        memory = f", {peaks[name] / 2**30:.1f} GiB at most" if peaks[name] else ""
        print(f"  {name:18s}{rate:8.0f} samples/s{memory}")


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


def print_loaders(trial: TrialConfig, dataset: Path, config: BenchConfig) -> None:
    """Samples per second that reach the device from each number of processes, nothing else running."""
    for workers in config.loaders:
        reading = dataclasses.replace(trial, data=dataclasses.replace(trial.data, workers=workers))
        data = TrialData(reading, dataset, torch.device(config.device))
        list(data.batches(1))  # processes start
        start = time.perf_counter()
        seen = sum(len(batch.index) for epoch in (2, 3) for (batch,) in data.batches(epoch))
        rate = seen / (time.perf_counter() - start)
        print(f"Loading {workers:2d} processes{rate:8.0f} samples/s of {trial.model.input_px} px", flush=True)


def trials(config: BenchConfig) -> list[TrialConfig]:
    """The recipe's networks with the study's heads, from random weights."""
    recipe = RECIPES["quick" if config.small else "paper"]
    backbones = config.backbones or (recipe.backbones if CUDA else recipe.backbones[:1])
    weight = recipe.loss_weights[0]
    found = [recipe.trial(name, study_head(name), weight, 0, pretrained=False) for name in backbones]
    return [
        dataclasses.replace(trial, data=dataclasses.replace(trial.data, workers=config.workers))
        for trial in found
    ]


def bench(trial: TrialConfig, dataset: Path, config: BenchConfig, precision: str) -> None:
    """Print all about one network's step in one precision."""
    rounding = precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = rounding
    named = "float32" if rounding else precision
    optim = dataclasses.replace(trial.optim, precision=named)  # type: ignore[arg-type]
    print(
        f"Training step of {trial.model.backbone}, {trial.model.head} head, {optim.batch_size} crops "
        f"of {trial.model.input_px} px, {precision}, on {config.device}, "
        f"{torch.get_num_threads()} threads; medians of {config.rounds}"
    )
    started = time.monotonic()
    bench = Bench(dataclasses.replace(trial, optim=optim), dataset, config)
    with bench.data:
        found = bench.rounds(config.rounds)
    print_shares(found)
    print_rates(found, bench.peaks, optim.batch_size)
    print_prices(found, None if config.small else TARGET)
    print(f"  all of this took {time.monotonic() - started:.0f} s", flush=True)


def main(config: BenchConfig) -> None:
    cv2.setNumThreads(1)
    samples = 32 * max(1, config.workers, *config.loaders)
    cats = BuildConfig(
        objects=("cat",), train=samples, validation=1, test=1, mesh_resolution=40, background_count=8
    )
    with tempfile.TemporaryDirectory() as folder:
        dataset = build(cats, Path(folder), workers=min(samples // 32, os.cpu_count() or 1), progress=False)
        chosen = trials(config)
        print_loaders(chosen[0], dataset, config)
        for trial, precision in itertools.product(chosen, config.precisions):
            bench(trial, dataset, config, precision)


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
