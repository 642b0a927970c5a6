"""Accuracy against what it costs, and the settings that no other one beats in both."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.metrics import Array
from epropnp.visualization.canvas import new_figure, percent_axis, plain, plain_log, sentences
from epropnp.visualization.labels import Label, label_points
from epropnp.visualization.palette import GREY, INK, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What settings cost.

    Attributes:
        title: with its unit, for the axis.
        values: above 0, by setting; some may be missing.
    """

    title: str
    values: Mapping[str, float]


def pareto_front(costs: Array, scores: Array) -> Array:
    """Indices of points, by cost, that score more than all that cost as much or less; (n,) each.

    Of several with the same cost and score, the first.
    """
    order = np.lexsort((-scores, costs))
    best = np.maximum.accumulate(scores[order])
    before = np.concatenate([[-np.inf], best[:-1]])
    return np.asarray(order[scores[order] > before])


def draw_cost(scores: Mapping[str, float], costs: Sequence[Cost], score: str, palette: Palette) -> "Figure":
    """A panel for each kind of cost, on a logarithmic axis.

    Args:
        scores: in percent, by setting.
        costs: kinds of it.
        score: what is compared, for the axis.
        palette: of the settings; those with a colour, and all on a front, are labelled.
    """
    shown = [name for name in scores if any(name in cost.values for cost in costs)]
    note = sentences(
        "Line: Pareto front, the settings that no other one beats in both; they are ringed.",
        palette.note(shown),
    )
    figure = new_figure(0.7 + 3.5 * len(costs), "Accuracy against cost", note)
    panels = np.atleast_1d(figure.subplots(len(costs), 1))
    labels = [
        _panel(axes, {name: scores[name] for name in scores if name in cost.values}, cost, palette)
        for axes, cost in zip(panels, costs, strict=True)
    ]
    for axes in panels:
        axes.set_ylabel(f"{score}, %")
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # labels are placed in it as it is
    for axes, cost, own in zip(panels, costs, labels, strict=True):
        points = [(cost.values[name], scores[name]) for name in scores if name in cost.values]
        line = np.asarray(axes.lines[0].get_xydata())
        label_points(axes, own, np.concatenate([points, _along_steps(line)]))
    return figure


def _along_steps(corners: Array) -> Array:
    """Points (m, 2) close to each other on a line of steps to the right, then up, between corners (n, 2)."""
    found = []
    for (x, y), (next_x, next_y) in itertools.pairwise(corners):
        found += [(at, y) for at in np.geomspace(x, next_x, 60)]
        found += [(next_x, at) for at in np.linspace(y, next_y, 20)]
    return np.array(found)


def _panel(axes: "Axes", scores: Mapping[str, float], cost: Cost, palette: Palette) -> list[Label]:
    """Draw one kind of cost; what is to be labelled."""
    names = list(scores)
    x = np.array([cost.values[name] for name in names])
    y = np.array([scores[name] for name in names])
    front = pareto_front(x, y)
    wide = max(np.log10(x.max() / x.min()), 0.3)
    ends = x.min() / 10 ** (0.22 * wide), x.max() * 10 ** (0.12 * wide)
    steps_x = np.concatenate([x[front], [ends[1]]])
    steps_y = np.concatenate([y[front], [y[front[-1]]]])
    axes.plot(
        steps_x, steps_y, color="0.55", linewidth=1.2, drawstyle="steps-post", zorder=1, label="Pareto front"
    )
    on_front = {names[i] for i in front}
    for name, *at in sorted(zip(names, x, y, strict=True), key=lambda each: each[0] in palette.named):
        ring = (
            {"markeredgecolor": INK, "markeredgewidth": 1.6}
            if name in on_front
            else {"markeredgecolor": "white"}
        )
        size = 10 if palette.marker(name) == "." else 8
        axes.plot(
            *at,
            palette.marker(name),
            color=palette.colour(name),
            markersize=size,
            label=name,
            zorder=3,
            **ring,
        )
    spare = max(0.12 * (y.max() - y.min()), 1.0)
    axes.set(xscale="log", xlim=ends, xlabel=cost.title, ylim=(y.min() - spare, y.max() + 1.8 * spare))
    plain_log(axes, "x")
    plain(axes)
    percent_axis(axes, "y")
    told = [name for name in names if name in palette.named or name in on_front]
    colours = {name: INK if palette.colour(name) == GREY else palette.colour(name) for name in told}
    return [Label(x=cost.values[name], y=scores[name], text=name, colour=colours[name]) for name in told]
