"""Accuracy against its threshold: what a table's columns at 0.02, 0.05 and 0.10 diameters are points of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.by_object import average, images_by_object
from epropnp.evaluation.metrics import Array
from epropnp.visualization.canvas import new_figure, percent_axis, plain, sentences
from epropnp.visualization.labels import Label, label_right
from epropnp.visualization.palette import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THRESHOLDS_D = np.linspace(0, 0.1, 101)  # diameters
MARKED_D = (0.02, 0.05, 0.10)  # columns of tables


def accuracy_curve(error_d: Array, object_id: Array, thresholds_d: Array = THRESHOLDS_D) -> Array:
    """Percent of images whose error lies strictly below each threshold, mean over objects, (S, T).

    Args:
        error_d: of S trials, in diameters, (S, n); NaN is a miss.
        object_id: of each image, (n,).
        thresholds_d: in diameters, (T,).
    """
    objects = images_by_object(object_id)
    return np.stack([average(100.0 * (error_d < limit), objects) for limit in thresholds_d], axis=-1)


def draw_accuracy(curves: Mapping[str, Array], palette: Palette) -> "Figure":
    """The curves (S, T) of settings over `THRESHOLDS_D`: means over seeds, bands from worst to best."""
    seeds = max(len(values) for values in curves.values())
    band = "Line: mean over seeds; band: from the worst seed to the best." if seeds > 1 else ""
    figure = new_figure(
        4.8,
        "Accuracy against the error that is allowed",
        sentences(band, "Dotted: the thresholds of the tables.", palette.note(list(curves))),
    )
    axes = figure.subplots()
    for limit in MARKED_D:
        axes.axvline(limit, color="0.7", linewidth=0.9, linestyle=":")
    labels = []
    for name in sorted(curves, key=lambda name: name in palette.named):  # grey below
        values, colour, own = curves[name], palette.colour(name), name in palette.named
        mean = values.mean(axis=0)
        if own and len(values) > 1:
            axes.fill_between(
                THRESHOLDS_D, values.min(0), values.max(0), color=colour, alpha=0.15, linewidth=0
            )
        axes.plot(
            THRESHOLDS_D, mean, color=colour, linewidth=2 if own else 0.8, label=name, zorder=3 if own else 2
        )
        if own:
            labels.append(Label(x=THRESHOLDS_D[-1], y=float(mean[-1]), text=name, colour=colour))
    top = max(float(values.max()) for values in curves.values())
    axes.set(
        xlabel="threshold of the ADD(-S) error, diameters of the object",
        ylabel="accuracy, % of images, mean over objects",
        xlim=(0, THRESHOLDS_D[-1]),
        ylim=(0, min(102.0, max(1.08 * top, 1.0))),
    )
    axes.set_xticks(np.linspace(0, 0.1, 6), [f"{limit:g}" for limit in np.linspace(0, 0.1, 6)])
    plain(axes)
    percent_axis(axes, "y")
    label_right(axes, labels)
    return figure
