"""Coverage of settings: how much of the truths their credible regions hold, beside what they promise."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from epropnp.evaluation.metrics import Array
from epropnp.visualization.calibration import LEVELS
from epropnp.visualization.canvas import difference_axis, new_figure, plain, sentences
from epropnp.visualization.labels import Label, label_right
from epropnp.visualization.palette import INK, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_coverage(curves: Mapping[str, Array], palette: Palette, left_out: int = 0) -> "Figure":
    """Means over seeds of `coverage_curve`s (S, 101), less the levels: 0 is calibrated.

    Args:
        curves: by setting.
        palette: of the settings.
        left_out: settings that have no such curve.
    """
    lacking = f"{left_out} setting{'' if left_out == 1 else 's'} left out: no poses with a covariance."
    note = sentences(
        "Above 0: regions hold more truths than they promise (too cautious); below: fewer (too sure).",
        "Mean over seeds.",
        palette.note(list(curves)),
        lacking if left_out else "",
    )
    figure = new_figure(4.3, "Calibration of the predicted uncertainty", note)
    axes = figure.subplots()
    axes.axhline(0, color=INK, linewidth=1)
    labels = []
    for name in sorted(curves, key=lambda name: name in palette.named):
        own, excess = name in palette.named, 100 * (curves[name].mean(axis=0) - LEVELS)
        axes.plot(
            100 * LEVELS,
            excess,
            color=palette.colour(name),
            linewidth=1.8 if own else 0.8,
            label=name,
            zorder=3 if own else 2,
        )
        if own:
            labels.append(Label(x=90, y=float(excess[90]), text=name, colour=palette.colour(name)))
    axes.set(
        xlabel="level of the credible region, %",
        ylabel="truths inside, less that level, points",
        xlim=(0, 100),
    )
    plain(axes)
    difference_axis(axes, "y")
    label_right(axes, labels)
    return figure
