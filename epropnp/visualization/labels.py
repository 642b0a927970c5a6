"""Names beside what they name, where legends would make the reader search: none covers another."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from epropnp.evaluation.metrics import Array
from epropnp.visualization.canvas import SMALL
from epropnp.visualization.palette import INK, Palette, dark

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE = 1.3  # heights of the letters from one line to the next
RADII_PT = (8, 14, 22, 32, 44, 58, 76, 96)  # of a label around its point, the nearest first
DIRECTIONS = ((-1, 1), (0, 1), (-1, 0), (1, 0), (1, -1), (0, -1), (1, 1), (-1, -1))  # right is 1, up is 1


@dataclass(frozen=True, kw_only=True)
class Label:
    """A name at a point of the data."""

    x: float
    y: float
    text: str
    colour: str


def wrapped(text: str, width: int = 30) -> str:
    """In lines of at most so many characters, where there are spaces."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def spread(wanted: Array, heights: Array, low: float, high: float) -> Array:
    """Middles (n,) of boxes that do not overlap, as near as can be to where they are wanted (n,).

    The least squares solution, by pooling neighbours that are too close (Barlow et al., Statistical Inference
    under Order Restrictions, 1972); those that do not fit
    between `low` and `high` begin at `low`.
    """
    order = np.argsort(wanted, kind="stable")
    tall = heights[order]
    below = np.cumsum(tall) - tall / 2  # the middle of each, were they stacked from 0
    pools: list[tuple[float, int]] = []  # mean and size
    for value in wanted[order] - below:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (last, m), (before, n) = pools.pop(), pools.pop()
            pools.append(((m * last + n * before) / (m + n), m + n))
    shifts = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    placed = np.empty(len(wanted))
    placed[order] = np.maximum(np.minimum(shifts, high - tall.sum()), low) + below
    return placed


def label_right(axes: "Axes", labels: Sequence[Label], width: int = 30) -> None:
    """Name lines at the right edge of their axes, each joined to where it ends, `x` and `y`.

    Limits and all else are to be set before.
    """
    if not labels:
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()  # lays out, which tells how high the axes are
    high_pt = axes.get_position().height * figure.get_figheight() * 72
    texts = [wrapped(label.text, width) for label in labels]
    heights = np.array([SMALL * LINE * (text.count("\n") + 1) for text in texts]) / high_pt
    to_axes = axes.transAxes.inverted()
    ends = to_axes.transform(axes.transData.transform([(label.x, label.y) for label in labels]))
    middles = spread(ends[:, 1].clip(0, 1), heights, -0.05, 1.05)
    for label, text, end, y in zip(labels, texts, ends, middles, strict=True):
        line = ([end[0] + 0.008, 1.02, 1.045], [end[1], y, y])
        axes.plot(
            *line, color=label.colour, linewidth=1.3, clip_on=False, transform=axes.transAxes, label="_leader"
        )
        axes.text(
            *(1.055, y, text),
            color=dark(label.colour),
            fontsize=SMALL,
            va="center",
            linespacing=1.1,
            transform=axes.transAxes,
            parse_math=False,
        )


def name_rows(axes: "Axes", names: Sequence[str], palette: Palette, width: int) -> None:
    """Settings at 0, 1, ... of the y axis, with the mark that other figures show them with."""
    from matplotlib.transforms import offset_copy

    axes.set_yticks(range(len(names)), [wrapped(name, width) for name in names], fontsize=SMALL, color=INK)
    axes.tick_params(axis="y", length=0, pad=14)
    beside = offset_copy(axes.get_yaxis_transform(), axes.get_figure(root=True), x=-8, units="points")
    for y, name in enumerate(names):
        if name in palette.named:
            axes.plot(
                *(0, y, palette.marker(name)),
                color=palette.colour(name),
                markersize=6,
                clip_on=False,
                transform=beside,
                label="_mark",
            )


def label_points(axes: "Axes", labels: Sequence[Label], others: Array) -> None:
    """Name points where no label covers another or one of the points `others` (m, 2), if there is room.

    The layout of the figure, and all limits, are to be final.
    """
    taken: list[Array] = []  # boxes in px: left, bottom, right, top
    scale = axes.figure.dpi / 72
    dots = axes.transData.transform(np.asarray(others, np.float64).reshape(-1, 2))
    edge = np.asarray(axes.get_window_extent().extents)
    for label in sorted(labels, key=lambda label: -label.y):
        text: Any = axes.annotate(
            wrapped(label.text),
            (label.x, label.y),
            xytext=(0, 0),
            textcoords="offset points",
            color=dark(label.colour),
            fontsize=SMALL,
            ha="center",
            va="center",
            parse_math=False,
            linespacing=1.1,
            arrowprops={
                "arrowstyle": "-",
                "color": label.colour,
                "linewidth": 0.7,
                "shrinkB": 4,
                "shrinkA": 0,
            },
        )
        size = np.asarray(text.get_window_extent().size)
        at = axes.transData.transform((label.x, label.y))
        best, offset = np.inf, np.zeros(2)
        for radius in RADII_PT:
            for preference, direction in enumerate(DIRECTIONS):
                shift = np.array(direction) * (size / 2 + scale * radius * np.array([1.0, 0.8]))
                if direction[0] and direction[1]:
                    shift[1] = direction[1] * (size[1] / 2 + scale * (radius - 6))
                box = np.concatenate([at + shift - size / 2, at + shift + size / 2])
                price = radius + preference + _price(box, taken, dots, edge)
                if price < best:
                    best, offset = price, shift
        text.set_position(tuple(offset / scale))
        text.arrow_patch.set_visible(bool(np.hypot(*(np.abs(offset) - size / 2).clip(min=0)) > 12 * scale))
        taken.append(np.concatenate([at + offset - size / 2, at + offset + size / 2]))


def _price(box: Array, taken: Sequence[Array], dots: Array, edge: Array) -> float:
    """What a place for a label costs: other labels, points below it, and leaving the axes."""
    left, bottom, right, top = box
    covered = sum(left < b[2] + 3 and b[0] < right + 3 and bottom < b[3] and b[1] < top for b in taken)
    inside = (dots > box[:2] - 3).all(1) & (dots < box[2:] + 3).all(1)
    outside = max(edge[0] - left, edge[1] - bottom, right - edge[2], top - edge[3], 0)
    return 1000.0 * covered + min(25.0 * float(inside.sum()), 400.0) + (2000.0 if outside else 0.0)
