"""Does one part of a setting matter alike with every choice of another: heads by backbone, loss weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.estimate import Estimate
from epropnp.visualization.canvas import SMALL, new_figure, plain, sentences
from epropnp.visualization.labels import Label, label_right, wrapped
from epropnp.visualization.palette import GREY, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# No setting's colours: a head is none.
SHADES = (("#111111", "o", "-"), ("#666666", "s", "--"), ("#8C8C8C", "^", ":"), ("#A6A6A6", "D", "-."))
MOST = 30  # rows that fit onto a page


@dataclass(frozen=True, kw_only=True)
class Point:
    """A setting among those that differ in one value.

    Attributes:
        setting: its name, for its colour.
        x: the value.
        score: in percent, with its interval.
    """

    setting: str
    x: float
    score: Estimate


def draw_interaction(
    cells: Mapping[tuple[str, str], Estimate], score: str, shared: str, kinds: tuple[str, str]
) -> "Figure":
    """Rows, the best on top, and a line for each of some columns: lines that cross or part are interaction.

    Args:
        cells: by row and column, scores in percent with their intervals; some may be missing.
        score: what it is, for the axis.
        shared: what all cells have in common, for the note.
        kinds: what rows and columns are, such as backbone and head.
    """
    kind, other = kinds
    rows = list(dict.fromkeys(row for row, _ in cells))
    columns = list(dict.fromkeys(column for _, column in cells))
    means = {row: np.mean([found.value for (own, _), found in cells.items() if own == row]) for row in rows}
    rows = sorted(rows, key=lambda row: -means[row])
    left_out = len(rows[MOST:])
    rows = rows[:MOST]
    more = f"{left_out} rows of lower score are not shown." if left_out else ""
    note = sentences("Bars: 95 % intervals over images and seeds.", shared, more)
    height = 1.9 + 0.16 * len(rows) * max(len(columns), 2)
    figure = new_figure(height, f"{other.capitalize()} by {kind}: {score}", note)
    axes = figure.subplots()
    for k, column in enumerate(columns):
        colour, marker, dash = SHADES[k % len(SHADES)]
        there = [(y, cells[row, column]) for y, row in enumerate(rows) if (row, column) in cells]
        y = np.array([row for row, _ in there]) + 0.5 * (k - (len(columns) - 1) / 2) / max(len(columns), 2)
        x = np.array([found.value for _, found in there])
        axes.hlines(
            y,
            [found.low for _, found in there],
            [found.high for _, found in there],
            color=colour,
            linewidth=1.4,
        )
        axes.plot(
            x, y, marker=marker, linestyle=dash, linewidth=1.1, color=colour, markersize=7, label=column
        )
    axes.set_yticks(range(len(rows)), [wrapped(row, 36) for row in rows])
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel=f"{score}, %")
    plain(axes, "x")
    axes.legend(
        *(axes.get_legend_handles_labels()),
        title=other,
        frameon=False,
        fontsize=SMALL,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        handlelength=3,
    )
    return figure


def draw_loss_weight(lines: Mapping[str, Sequence[Point]], score: str, palette: Palette) -> "Figure":
    """Scores against the loss weight; its values stand at equal distances, for 0 may be among them.

    Args:
        lines: by what the settings of a line share, the best line first.
        score: what it is, for the axis.
        palette: colours the points of the settings.
    """
    values = sorted({point.x for points in lines.values() for point in points})
    grey = len(lines) - len(palette.named)
    more = f"Grey: {grey} other lines, not among the best." if grey > 0 else ""
    note = sentences("Bars: 95 % intervals over images and seeds.", more)
    figure = new_figure(4.3, f"Weight of the Monte Carlo loss: {score}", note)
    axes = figure.subplots()
    labels = []
    for k, (name, points) in reversed(list(enumerate(lines.items()))):
        named = k < len(palette.named)
        points = sorted(points, key=lambda point: point.x)
        x = np.array([values.index(point.x) for point in points], np.float64)
        x += 0.03 * (min(k, 7) - (min(len(lines), 7) - 1) / 2) if named else 0
        y = [point.score.value for point in points]
        axes.plot(x, y, color="#595959" if named else GREY, linewidth=1.2 if named else 0.7, label=name)
        for at, point in zip(x, points, strict=True) if named else ():
            own = palette.colour(point.setting) if point.setting in palette.named else "#595959"
            axes.plot([at, at], [point.score.low, point.score.high], color=own, linewidth=1.4, label="_bar")
            axes.plot(
                at, point.score.value, palette.marker(point.setting), color=own, markersize=7, label="_point"
            )
        if named:
            labels.append(Label(x=float(x[-1]), y=y[-1], text=name, colour="#595959"))
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.set(xlim=(-0.3, len(values) - 0.7), xlabel="weight of the Monte Carlo loss", ylabel=f"{score}, %")
    plain(axes, "y")
    label_right(axes, labels)
    return figure
