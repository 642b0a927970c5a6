"""A picture of one sweep: its settings by score, and how far each is behind the best."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from epropnp.evaluation.comparison import Comparison, Verdict
from epropnp.evaluation.estimate import Estimate
from epropnp.visualization.canvas import SMALL, difference_axis, new_figure, percent_axis, plain, sentences
from epropnp.visualization.labels import name_rows
from epropnp.visualization.palette import INK, Palette, dark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Look:
    """How a verdict is told apart, also without colours."""

    colour: str
    marker: str


LOOKS: dict[Verdict, Look] = {
    "best": Look("#000000", "*"),
    "equal": Look("#009E73", "s"),
    "not distinguishable": Look("#0072B2", "o"),
    "worse": Look("#D55E00", "v"),
}
TALL_IN, LOW_IN, MANY = 0.36, 0.21, 15  # rows, and from how many they are low


def draw_comparison(comparison: Comparison, score: str, palette: Palette) -> "Figure":
    """Settings as rows: the score with its seeds and interval, and the difference to the best one.

    Args:
        comparison: of settings; the best is drawn on top.
        score: what is compared, for the axis.
        palette: gives those with a colour in other figures a mark of it beside their names.
    """
    settings = comparison.settings
    row_in = LOW_IN if len(settings) > MANY else TALL_IN
    several = max(len(setting.seeds) for setting in settings) > 1
    note = sentences(
        "Left: mean, 95 % interval" + (", seeds as grey dots." if several else "."),
        "Right: paired over the same images, 95 % intervals of all together.",
        "Marks beside names: the colours of other figures.",
    )
    figure = new_figure(1.7 + row_in * max(len(settings), 2), f"{score}: settings beside the best", note)
    scores, differences = figure.subplots(1, 2, sharey=True)
    for y, setting in enumerate(settings):
        look = LOOKS[setting.verdict]
        _draw_interval(scores, setting.mean, y, look)
        scores.plot(setting.seeds, [y] * len(setting.seeds), ".", color="0.55", markersize=5, zorder=4)
        if y:
            _draw_interval(differences, setting.difference, y, look)
        words = comparison.words(setting)
        differences.text(
            *(1.02, y, words),
            color=dark(look.colour),
            va="center",
            fontsize=SMALL,
            transform=differences.get_yaxis_transform(),
        )
    differences.axvline(0, color=INK, linewidth=1)
    scores.set(xlabel=f"{score}, %")
    differences.set(xlabel="difference to the best, points")
    name_rows(scores, [setting.name for setting in settings], palette, 38 if row_in == TALL_IN else 200)
    scores.set_ylim(len(settings) - 0.5, -0.5)
    for axes in (scores, differences):
        plain(axes, "x")
        axes.locator_params(axis="x", nbins=6)
    percent_axis(scores, "x")
    difference_axis(differences, "x")
    differences.tick_params(labelleft=False)
    differences.tick_params(axis="y", length=0)
    return figure


def _draw_interval(axes: "Axes", estimate: Estimate, y: int, look: Look) -> None:
    axes.plot([estimate.low, estimate.high], [y, y], color=look.colour, linewidth=2.2, solid_capstyle="butt")
    size = 10 if look.marker == "*" else 6
    axes.plot(
        estimate.value, y, look.marker, color=look.colour, markersize=size, markeredgecolor="white", zorder=3
    )
