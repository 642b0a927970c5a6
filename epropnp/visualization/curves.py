"""How the trainings of a sweep went, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.metrics import Array
from epropnp.visualization.canvas import new_figure, percent_axis, plain, sentences
from epropnp.visualization.labels import Label, label_right
from epropnp.visualization.palette import Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Curves:
    """How one trial went."""

    loss: Sequence[float]  # mean training loss of epochs 1, 2, ...
    accuracy: Sequence[float]  # validation ADD(-S) 0.10d in percent after epochs 0, 1, ...


@dataclass(frozen=True, kw_only=True)
class Band:
    """Mean, least and largest value over the seeds that came so far, (epochs,) each."""

    mean: Array
    low: Array
    high: Array


def over_seeds(series: Sequence[Sequence[float]]) -> Band:
    """Of the seeds' series, some of which may be shorter; what is not finite does not count."""
    table = np.full((len(series), max(map(len, series), default=0)), np.nan)
    for row, values in zip(table, series, strict=True):
        row[: len(values)] = values
    known = np.isfinite(table)
    count = known.sum(axis=0)
    total = np.where(known, table, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(count, total / np.maximum(count, 1), np.nan)
    low = np.where(count, np.where(known, table, np.inf).min(axis=0, initial=np.inf), np.nan)
    high = np.where(count, np.where(known, table, -np.inf).max(axis=0, initial=-np.inf), np.nan)
    return Band(mean=mean, low=low, high=high)


def draw_curves(
    settings: Mapping[str, Sequence[Curves]],
    palette: Palette,
    stopped: Sequence[tuple[str, Curves]] = (),
) -> "Figure":
    """Training loss and validation accuracy of settings; of each, the curves of its seeds.

    Args:
        settings: curves of the seeds that finished, by setting; at least one.
        palette: colours of settings.
        stopped: setting and curves of each trial that was stopped, which no mean holds.
    """
    several = max(map(len, settings.values())) > 1
    band = "Line: mean over seeds; band: from the lowest seed to the highest." if several else ""
    note = sentences(band, palette.note(list(settings)), _told(len(stopped)))
    figure = new_figure(4.3, "Training, epoch by epoch", note)
    loss, accuracy = figure.subplots(1, 2)
    losses = {name: over_seeds([curves.loss for curves in group]) for name, group in settings.items()}
    scores = {name: over_seeds([curves.accuracy for curves in group]) for name, group in settings.items()}
    _draw(loss, losses, 1, palette)
    _draw(accuracy, scores, 0, palette)
    for name, curves in stopped:
        _draw_stopped(loss, curves.loss, 1, palette.colour(name))
        _draw_stopped(accuracy, curves.accuracy, 0, palette.colour(name))
    tops = [float(np.nanmax(band.high)) for band in scores.values() if len(band.high)]
    tops += [value for _, curves in stopped for value in curves.accuracy if np.isfinite(value)]
    top = max(tops, default=0.0)
    loss.set(xlabel="epoch", ylabel="training loss, mean of the epoch")
    accuracy.set(
        xlabel="epoch (0: before training)",
        ylabel="validation ADD(-S) 0.10d, %",
        ylim=(0, min(102.0, max(1.08 * top, 1.0))),
    )
    for axes in (loss, accuracy):
        plain(axes)
        axes.locator_params(axis="x", integer=True)
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    percent_axis(accuracy, "y")
    named = [name for name in palette.named if name in scores and len(scores[name].mean)]
    ends = {name: scores[name].mean for name in named}
    label_right(
        accuracy,
        [
            Label(x=len(ends[name]) - 1, y=float(ends[name][-1]), text=name, colour=palette.colour(name))
            for name in named
        ],
        width=24,
    )
    return figure


def _told(stopped: int) -> str:
    trials = f"{stopped} trial{'s that were' if stopped > 1 else ' that was'} stopped"
    return f"Dashed, up to the cross: {trials}." if stopped else ""


def _draw_stopped(axes: "Axes", values: Sequence[float], first: int, colour: str) -> None:
    """A dashed line from epoch `first`, and a cross where it ends."""
    epochs = range(first, first + len(values))
    last = len(values) - 1
    axes.plot(
        epochs, values, "--", color=colour, linewidth=0.9, marker="x", markevery=[last] if values else []
    )
    low, high = axes.get_xlim()
    axes.set_xlim(low, max(high, first + last))


def _draw(axes: "Axes", bands: Mapping[str, Band], first: int, palette: Palette) -> None:
    """Lines with bands, from epoch `first`; grey ones below."""
    for name in sorted(bands, key=lambda name: name in palette.named):
        band, colour, own = bands[name], palette.colour(name), name in palette.named
        epochs = np.arange(first, first + len(band.mean))
        if own and (band.high > band.low).any():
            axes.fill_between(epochs, band.low, band.high, color=colour, alpha=0.15, linewidth=0)
        dots = palette.marker(name) if len(epochs) <= 12 and own else None
        axes.plot(
            epochs,
            band.mean,
            color=colour,
            marker=dots,
            markersize=5,
            linewidth=1.8 if own else 0.8,
            label=name,
            zorder=3 if own else 2,
        )
    longest = max((len(band.mean) for band in bands.values()), default=0)
    axes.set_xlim(first, max(first + longest - 1, first + 1))
