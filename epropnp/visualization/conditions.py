"""Errors against what makes an image hard: how far and how hidden the object is, from where it is seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epropnp.evaluation.metrics import Array
from epropnp.visualization.canvas import new_figure, plain, sentences
from epropnp.visualization.labels import Label, label_right
from epropnp.visualization.palette import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS, LEAST = 6, 10  # bins at most, and images that each has at least


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something of every image.

    Attributes:
        word: for the title of the figure.
        title: with its unit, for the axis.
        values: (n,).
    """

    word: str
    title: str
    values: Array


def distance_m(T_true: Array) -> Array:
    """From the camera to the object's origin, (n,), of poses (n, 4, 4) that map the object to the camera."""
    return np.asarray(np.linalg.norm(T_true[:, :3, 3], axis=1))


def elevation_deg(T_true: Array) -> Array:
    """Of the camera above the object's x-y plane, seen from its origin, -90 to 90, (n,); poses (n, 4, 4)."""
    eye = -np.einsum("nji,nj->ni", T_true[:, :3, :3], T_true[:, :3, 3])  # in the object's frame
    return np.asarray(np.degrees(np.arcsin(np.clip(eye[:, 2] / np.linalg.norm(eye, axis=1), -1, 1))))


def bins_of(values: Array) -> list[Array]:
    """Indices of images in bins of about equally many, by value; of at most `BINS`, each of `LEAST` or more.

    Images of the same value are in the same bin.
    """
    order = np.argsort(values, kind="stable")
    ordered, n = values[order], len(values)
    cuts = [0]
    for wanted in np.linspace(0, n, max(min(BINS, n // LEAST), 1) + 1)[1:-1].round().astype(int):
        same = (
            np.searchsorted(ordered, ordered[wanted], "left"),
            np.searchsorted(ordered, ordered[wanted], "right"),
        )
        cut = int(min(same, key=lambda end: abs(end - wanted)))
        if cut - cuts[-1] >= LEAST and n - cut >= LEAST:
            cuts.append(cut)
    return np.split(order, cuts[1:]) if n else []


def draw_conditions(
    errors_d: Mapping[str, Array], conditions: Sequence[Condition], palette: Palette
) -> "Figure":
    """Median errors in bins of equally many images, a panel for each condition.

    Args:
        errors_d: ADD(-S) in diameters, by setting, of S trials, (S, n); NaN is worse than all.
        conditions: of the n images.
        palette: of the settings.
    """
    bins = [bins_of(condition.values) for condition in conditions]
    fewest = min(len(part) for parts in bins for part in parts)
    note = sentences(
        f"Each point: median over seeds and the images of a bin ({fewest} or more), at their median.",
        palette.note(list(errors_d)),
        "Lines that leave the figure at the top have larger errors.",
    )
    figure = new_figure(4.3, f"Errors by {_listed([each.word for each in conditions])}", note)
    panels = np.atleast_1d(figure.subplots(1, len(conditions), sharey=True))
    named = [name for name in palette.named if name in errors_d]
    ends, top = {}, 0.0
    for axes, condition, parts in zip(panels, conditions, bins, strict=True):
        x = [float(np.median(condition.values[part])) for part in parts]
        for name in sorted(errors_d, key=lambda name: name in palette.named):
            worst = np.nan_to_num(errors_d[name], nan=np.inf)
            y = [100 * float(np.median(worst[:, part])) for part in parts]
            own = name in palette.named
            axes.plot(
                x,
                y,
                color=palette.colour(name),
                marker=palette.marker(name) if own else None,
                markersize=5,
                linewidth=1.8 if own else 0.8,
                label=name,
                zorder=3 if own else 2,
            )
            if own:
                ends[name] = x[-1], y[-1]
                top = max(top, *(value for value in y if np.isfinite(value)), 0.0)
        axes.set_xlabel(condition.title)
        plain(axes)
    panels[0].set(ylabel="median ADD(-S) error, % of the diameter", ylim=(0, 1.15 * top if top else 1.0))
    told = [name for name in named if np.isfinite(ends[name][1])]
    label_right(
        panels[-1],
        [Label(x=ends[n][0], y=ends[n][1], text=n, colour=palette.colour(n)) for n in told],
        width=22,
    )
    return figure


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
