"""Images that a setting gets right and the best one does not, and the reverse, as bars to either side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from epropnp.evaluation.flips import Flips
from epropnp.visualization.canvas import SMALL, new_figure, plain, sentences
from epropnp.visualization.labels import wrapped
from epropnp.visualization.palette import GREY, INK, Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 30  # settings that fit onto a page
LOST, GAINED = "#D55E00", "#0072B2"


def draw_flips(counts: Mapping[str, Flips], best: str, images: int, palette: Palette) -> "Figure":
    """Settings by rank, beside the best one.

    Args:
        counts: of images, by setting.
        best: the setting that they are compared to.
        images: of the test split.
        palette: ranks the settings, and colours their names.
    """
    names = [name for name in palette.ranked if name in counts][:MOST]
    left_out = len(counts) - len(names)
    note = sentences(
        f"Of {images} test images. Right: ADD(-S) below 0.10 diameters in most seeds of one and in none of the other.",
        f"{left_out} settings of lower rank are not shown." if left_out else "",
    )
    title = f"Images right in one setting only, beside the best: {best}"
    figure = new_figure(1.7 + 0.3 * max(len(names), 2), wrapped(title, 90), note)
    axes = figure.subplots()
    widest = max((max(found.gained, found.lost) for found in counts.values()), default=0)
    for y, name in enumerate(names):
        for count, colour, side in ((counts[name].gained, GAINED, 1), (counts[name].lost, LOST, -1)):
            axes.barh(y, side * count, height=0.66, color=colour)
            shift = side * 0.01 * max(widest, 1)
            axes.text(
                *(side * count + shift, y, str(count)),
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=SMALL,
                color=INK,
            )
    axes.axvline(0, color=INK, linewidth=1)
    reach = 1.15 * max(widest, 1)
    axes.set(xlim=(-reach, reach), ylim=(len(names) - 0.4, -0.9))
    axes.text(-0.02 * reach, -0.72, "right in the best only", ha="right", va="center", color=LOST, fontsize=SMALL)
    axes.text(0.02 * reach, -0.72, "right here only", ha="left", va="center", color=GAINED, fontsize=SMALL)
    axes.set_yticks(range(len(names)), [wrapped(name, 42) for name in names])
    for tick, name in zip(axes.get_yticklabels(), names, strict=True):
        tick.set_color(palette.colour(name) if palette.colour(name) != GREY else INK)
    plain(axes, "x")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_xlabel("images")
    return figure
