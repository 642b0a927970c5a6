"""A picture of calibration: reliability curves, and error against predicted standard deviation."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from epropnp.errors import UserError
from epropnp.evaluation.calibration import Calibration
from epropnp.visualization.canvas import plain_log
from epropnp.visualization.palette import COLOURS, GREY, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = np.linspace(0, 1, 101)
SAMPLED, COVARIANCE, *_ = COLOURS
TITLE = "Calibration: does the predicted uncertainty say how wrong the poses are?"
TITLE_Y = 1.0  # said, or all ticks are measured to find it


def save_calibration(calibration: Calibration, path: Path, title: str = TITLE) -> None:
    """Draw the picture into a PNG or SVG file, under a title. UserError where it cannot be written."""
    figure = _figure()
    figure.suptitle(title, x=0.01, y=0.985, ha="left", fontweight="bold")
    reliability, translation, rotation = map(_emptied, figure.axes)
    _draw_reliability(reliability, calibration)
    _draw_errors(translation, 1000 * calibration.translation_std_m, 1000 * calibration.translation_error_m)
    _draw_errors(rotation, calibration.rotation_std_deg, calibration.rotation_error_deg)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def coverage_curve(level: np.ndarray) -> np.ndarray:
    """Fraction (101,) of images whose truth lies in the credible regions of 0, 1, ... 100 %.

    `level` (n,) is that of the smallest region that contains the truth.
    """
    return np.searchsorted(np.sort(level), LEVELS, side="right") / max(len(level), 1)


@functools.cache
def _figure() -> "Figure":
    """The picture without what is drawn, made once: nearly all of its time goes into ticks, which stay."""
    from matplotlib.figure import Figure  # slow to import

    figure = Figure(figsize=(14, 4.8))
    # Measured out once: to find margins anew takes longer than all else, for every trial.
    margins = {"left": 0.05, "right": 0.99, "bottom": 0.12, "top": 0.86, "wspace": 0.26}
    reliability, *errors = figure.subplots(1, 3, gridspec_kw=margins)
    reliability.set(
        xlabel="credible region, %",
        ylabel="truth inside, % of images",
        xlim=(0, 100),
        ylim=(0, 100),
        aspect="equal",
    )
    for axes, title, unit in zip(errors, ("translation", "rotation"), ("mm", "deg"), strict=True):
        axes.set(xscale="log", yscale="log")
        axes.set_title(title, y=TITLE_Y)
        axes.set(xlabel=f"predicted standard deviation, {unit}", ylabel=f"error, {unit}")
        axes.grid(alpha=0.3)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _emptied(axes: "Axes") -> "Axes":
    """Without what an earlier picture drew there."""
    legend = axes.get_legend()
    for artist in (*axes.lines, *axes.collections, *([legend] if legend else [])):
        artist.remove()
    return axes


def _draw_reliability(axes: "Axes", calibration: Calibration) -> None:
    images = len(calibration.object_id)
    chance = 1.96 * np.sqrt(LEVELS * (1 - LEVELS) / max(images, 1))
    axes.fill_between(
        100 * LEVELS,
        100 * (LEVELS - chance),
        100 * (LEVELS + chance),
        color=GREY,
        alpha=0.4,
        linewidth=0,
        label="95 % by chance",
    )
    axes.plot([0, 100], [0, 100], color=INK, linewidth=1)
    if calibration.level_sampled is not None:
        axes.plot(
            100 * LEVELS,
            100 * coverage_curve(calibration.level_sampled),
            color=SAMPLED,
            label="posterior samples",
        )
    axes.plot(
        100 * LEVELS,
        100 * coverage_curve(calibration.level_covariance),
        color=COVARIANCE,
        label="covariance alone",
    )
    left_out = f", {calibration.left_out} without a pose left out" if calibration.left_out else ""
    axes.set_title(f"{images} images{left_out}", y=TITLE_Y)
    axes.legend(frameon=False, fontsize="small")


def _draw_errors(axes: "Axes", std: np.ndarray, error: np.ndarray) -> None:
    """Points below the line err less than predicted."""
    axes.relim()
    axes.autoscale()
    axes.plot(std, error, ".", color=COVARIANCE, markersize=3, alpha=0.4)  # the standard deviation is of it
    if len(std):
        ends = [0.8 * std.min(), 1.25 * std.max()]
        axes.plot(ends, ends, color=INK, linewidth=1, label="error = standard deviation")
        axes.set_xlim(*ends)
        axes.legend(frameon=False, fontsize="small")
    else:
        axes.set(xlim=(0.9, 11), ylim=(0.9, 11))
    for which in ("x", "y"):
        plain_log(axes, which)
