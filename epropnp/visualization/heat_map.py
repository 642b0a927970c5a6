"""A score of every setting on every object, with numbers in the cells."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.metrics import Array
from epropnp.visualization.canvas import SMALL, new_figure, sentences
from epropnp.visualization.labels import name_rows, wrapped
from epropnp.visualization.palette import INK, Palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 30  # settings that fit onto a page
ROW_IN = 0.27


def draw_objects(
    values: Mapping[str, Array], objects: Sequence[str], score: str, palette: Palette
) -> "Figure":
    """Settings by rank as rows, objects as columns, the mean of a row on its left.

    Args:
        values: by setting, the score of each object in percent, (objects,).
        objects: names.
        score: what it is, for the title.
        palette: ranks the settings.
    """
    names = [name for name in palette.ranked if name in values][:MOST]
    left_out = len(values) - len(names)
    table = np.stack([np.append(values[name].mean(), values[name]) for name in names])
    more = f"{left_out} settings of lower rank are not shown." if left_out else ""
    note = sentences(
        f"{score}, % of the images of an object, mean over seeds. Frame: best of a column.", more
    )
    lines = max(wrapped(name, 42).count("\n") + 1 for name in names)
    height = 1.75 + ROW_IN * max(lines * 0.75, 1) * len(names)
    figure = new_figure(height, f"{score} by object", note)
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.axvline(0.5, color="white", linewidth=8)
    for (row, column), value in np.ndenumerate(table):
        best = value == table[:, column].max() > table[:, column].min()
        _cell(axes, row, column, float(value), best, small=len(objects) > 15)
    slanted = len(objects) > 8 or max(map(len, objects)) > 10
    axes.set_xticks(
        range(len(objects) + 1),
        ["mean", *objects],
        rotation=40 if slanted else 0,
        ha="left" if slanted else "center",
    )
    axes.tick_params(length=0, labeltop=True, labelbottom=False, labelcolor=INK)
    name_rows(axes, names, palette, 42)
    axes.spines[:].set_visible(False)
    return figure


def _cell(axes: "Axes", row: int, column: int, value: float, best: bool, small: bool) -> None:
    from matplotlib.patches import Rectangle

    axes.text(
        *(column, row, f"{value:.0f}" if small else f"{value:.1f}"),
        ha="center",
        va="center",
        fontsize=7 if small else SMALL,
        color="white" if value > 60 else "black",
        fontweight="bold" if best else "normal",
    )
    if best:
        axes.add_patch(
            Rectangle((column - 0.44, row - 0.44), 0.88, 0.88, fill=False, edgecolor=INK, linewidth=1.2)
        )
