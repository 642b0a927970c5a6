"""A picture of one sweep: training loss and validation accuracy of every trial, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Curves:
    """How one trial went."""

    loss: Sequence[float]  # mean training loss of epochs 1, 2, ...
    accuracy: Sequence[float]  # validation ADD(-S) 0.10d in percent after epochs 0, 1, ...


def save_curves(trials: Mapping[str, Curves], path: Path) -> None:
    """Draw the curves of named trials into a PNG or SVG file."""
    from matplotlib.figure import Figure  # slow to import, and not needed before the end of a sweep

    figure = Figure(figsize=(11, 4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for name, curves in trials.items():
        loss.plot(range(1, len(curves.loss) + 1), curves.loss, marker=".", label=name)
        accuracy.plot(range(len(curves.accuracy)), curves.accuracy, marker=".")
    loss.set(xlabel="epoch", ylabel="training loss, mean of the epoch")
    accuracy.set(xlabel="epoch (0: before training)", ylabel="validation ADD(-S) 0.10d, %", ylim=(0, 100))
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    loss.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=120)
