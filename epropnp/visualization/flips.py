"""Images that a setting gets right and the best one does not, and the reverse, as bars to either side."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from epropnp.evaluation.flips import Flips
from epropnp.visualization.canvas import SMALL, new_figure, plain, sentences
from epropnp.visualization.labels import name_rows, wrapped
from epropnp.visualization.palette import INK, Palette

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
        f"Of {images} test images. Right: ADD(-S) below 0.10 diameters in most seeds of one setting,",
        "and in none of the other.",
        f"{left_out} settings of lower rank are not shown." if left_out else "",
    )
    title = f"Images right in one setting only, beside the best: {best}"
    figure = new_figure(1.7 + 0.3 * max(len(names), 2), wrapped(title, 90), note)
    axes = figure.subplots()
    lost, gained = (max(getattr(counts[name], side) for name in names) for side in ("lost", "gained"))
    reach = 1.15 * max(lost, gained, 1)
    for y, name in enumerate(names):
        for count, colour, side in ((counts[name].gained, GAINED, 1), (counts[name].lost, LOST, -1)):
            axes.barh(y, side * count, height=0.66, color=colour)
            shift = side * 0.008 * reach
            axes.text(
                *(side * count + shift, y, str(count)),
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=SMALL,
                color=INK,
            )
    axes.axvline(0, color=INK, linewidth=1)
    ends = (-max(1.15 * lost, 0.4 * reach), max(1.15 * gained, 0.4 * reach))
    axes.set(xlim=ends, ylim=(len(names) - 0.4, -0.9))
    axes.text(
        -0.02 * reach, -0.72, "right in the best only", ha="right", va="center", color=LOST, fontsize=SMALL
    )
    axes.text(0.02 * reach, -0.72, "right here only", ha="left", va="center", color=GAINED, fontsize=SMALL)
    plain(axes, "x")
    name_rows(axes, names, palette, 42)
    axes.locator_params(axis="x", integer=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axes.set_xlabel("images")
    return figure
