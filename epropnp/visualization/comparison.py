"""Pictures of one sweep: its settings by score, and how every trial went, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.evaluation.comparison import Comparison, Verdict
from epropnp.evaluation.estimate import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS: dict[Verdict, str] = {
    "best": "tab:green",
    "equal": "tab:olive",
    "not distinguishable": "tab:blue",
    "worse": "tab:red",
}
ROW_INCHES = 0.45


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


def save_comparison(comparison: Comparison, score: str, path: Path) -> None:
    """Draw settings as rows: the score with its seeds and interval, and the difference to the best one.

    Args:
        comparison: of settings; the best is drawn on top.
        score: what is compared, for the axis.
        path: a PNG or SVG file.
    """
    from matplotlib.figure import Figure

    settings = comparison.settings
    figure = Figure(figsize=(12, 1.6 + ROW_INCHES * max(len(settings), 2)), layout="constrained")
    scores, differences = figure.subplots(1, 2, sharey=True)
    for y, setting in enumerate(settings):
        colour = COLOURS[setting.verdict]
        _draw_interval(scores, setting.mean, y, colour)
        scores.plot(setting.seeds, [y] * len(setting.seeds), "o", color="0.2", markersize=4, alpha=0.6)
        if y:
            _draw_interval(differences, setting.difference, y, colour)
        words, beside = comparison.words(setting), differences.get_yaxis_transform()
        differences.text(1.02, y, words, color=colour, va="center", transform=beside)
    differences.axvline(0, color="0.5", linewidth=1)
    several = max(len(setting.seeds) for setting in settings) > 1
    scores.set(xlabel=f"{score}, %\nmean, 95 % interval" + (", seeds as dots" if several else ""))
    differences.set(xlabel="difference to the best, %\npaired, 95 % intervals of all together")
    scores.set_yticks(range(len(settings)), [setting.name for setting in settings])
    scores.set_ylim(len(settings) - 0.5, -0.5)
    for axes in (scores, differences):
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _draw_interval(axes: "Axes", estimate: Estimate, y: int, colour: str) -> None:
    axes.plot([estimate.low, estimate.high], [y, y], color=colour, linewidth=3, solid_capstyle="butt")
    axes.plot(estimate.value, y, "|", color=colour, markersize=16, markeredgewidth=2.5)
