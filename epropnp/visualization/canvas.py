"""What all figures of a sweep share: their width, plain axes, a title, a note below, and their files."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from epropnp.files import replaced
from epropnp.visualization.palette import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN, DPI = 9.1, 110  # 1001 px
LEAST_WIDTH = 5.0  # points, of an axis of accuracies
SMALL = 9.0  # points, of labels and notes
NOTE = 118  # characters of that size in a line


def new_figure(height_in: float, title: str, note: str = "") -> "Figure":
    """An empty one with a title on top and a note at the bottom, laid out around its axes."""
    from matplotlib.figure import Figure  # slow to import, and not needed before the end of a sweep

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    if note:
        figure.supxlabel(textwrap.fill(note, NOTE), x=0.01, ha="left", fontsize=SMALL, color="0.35")
    return figure


def plain(axes: "Axes", grid: Literal["both", "x", "y"] = "both") -> None:
    """Two spines, a faint grid along `x`, `y` or both."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(color="0.6", labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_color("0.6")


def percent_axis(axes: "Axes", which: Literal["x", "y"]) -> None:
    """The axis `x` or `y` of accuracies: however alike they are, 5 points wide, or up to 5 %."""
    low, high = getattr(axes, f"get_{which}lim")()
    spare = max(LEAST_WIDTH - (high - low), 0) / 2
    low = min(low, max(low - spare, 0))
    _in_full(axes, which, low, max(high + spare, max(low, 0) + LEAST_WIDTH))


def difference_axis(axes: "Axes", which: Literal["x", "y"]) -> None:
    """The axis `x` or `y` of differences of accuracies: at least one point to either side of 0."""
    low, high = getattr(axes, f"get_{which}lim")()
    _in_full(axes, which, min(low, -1), max(high, 1))


def _in_full(axes: "Axes", which: Literal["x", "y"], low: float, high: float) -> None:
    """Limits of an axis, whose numbers stand at its ticks without a summand or factor at its end."""
    getattr(axes, f"set_{which}lim")(low, high)
    axes.ticklabel_format(axis=which, useOffset=False, style="plain")


def plain_log(axes: "Axes", which: str) -> None:
    """A logarithmic axis `x` or `y` whose ticks read 0.5, 20 or 1000, at 1, 2 and 5 of each decade.

    At all digits where it has less than a decade, at tens where it has many.
    """
    import numpy as np
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    decades = np.log10(high / low)
    subs = (
        (1.0,) if decades > 3 else (1.0, 2.0, 5.0) if decades > 0.9 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    )
    axis.set_major_locator(LogLocator(base=10, subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.6g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def sentences(*parts: str) -> str:
    """Those that say something, one after the other."""
    return " ".join(part for part in parts if part)


def save_figure(figure: "Figure", files: Sequence[Path]) -> None:
    """Write a figure whole or not at all, as PNG, PDF or SVG by the name of each file.

    The letters of a PDF can be searched, and its bytes do not tell when it was made.

    Raises:
        UserError: a file cannot be written.
    """
    from matplotlib import rc_context

    for file in files:
        kind = file.suffix.removeprefix(".")
        undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
        with replaced(file) as unfinished, rc_context({"pdf.fonttype": 42}):
            if kind == "png":
                _save_lean(figure, unfinished)
            else:
                drawn = io.BytesIO()  # of a file that it cannot write matplotlib says anything but why
                figure.savefig(drawn, format=kind, metadata=undated)
                unfinished.write_bytes(drawn.getvalue())


def _save_lean(figure: "Figure", file: Path) -> None:
    """A PNG of 256 colours, which is a third as large."""
    from PIL import Image

    whole = io.BytesIO()
    figure.savefig(whole, format="png", dpi=DPI)
    picture = Image.open(whole).convert("RGB")
    few = picture.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(file, format="png", optimize=True)
