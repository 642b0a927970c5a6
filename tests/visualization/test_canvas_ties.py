"""Figures of settings that all score the same: axes that are no sliver, and numbers without a summand."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from epropnp.evaluation.comparison import compare
from epropnp.visualization.accuracy import THRESHOLDS_D, draw_accuracy
from epropnp.visualization.canvas import difference_axis, new_figure, percent_axis
from epropnp.visualization.comparison import draw_comparison
from epropnp.visualization.cost import Cost, draw_cost
from epropnp.visualization.coverage import draw_coverage
from epropnp.visualization.curves import Curves, draw_curves
from epropnp.visualization.palette import Palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMES = ["a", "b"]
PALETTE = Palette(NAMES)


def figures(score: float) -> dict[str, "Figure"]:
    """Every figure of accuracies, of two settings that score as much."""
    same = {name: np.full((1, 8), score) for name in NAMES}
    curve = {name: np.full((1, len(THRESHOLDS_D)), score) for name in NAMES}
    trained = {name: [Curves(loss=[1.0, 0.5], accuracy=[score] * 3)] for name in NAMES}
    cost = Cost(title="ms", values={"a": 1.0, "b": 2.0})
    return {
        "comparison": draw_comparison(compare(same, np.zeros(8)), "ADD", PALETTE),
        "cost": draw_cost(dict.fromkeys(NAMES, score), [cost], "ADD", PALETTE),
        "accuracy": draw_accuracy(curve, PALETTE),
        "curves": draw_curves(trained, PALETTE),
    }


@pytest.mark.parametrize("score", [0.0, 1e-17, 3.0, 40.0])
def test_axes_of_accuracies_are_five_points_wide_and_of_differences_two(score: float) -> None:
    for name, figure in figures(score).items():
        figure.draw_without_rendering()
        axes = figure.axes[1 if name == "curves" else 0]
        axis, limits = (
            (axes.xaxis, axes.get_xlim()) if name == "comparison" else (axes.yaxis, axes.get_ylim())
        )
        assert limits[1] >= 5, name
        assert limits[0] <= score <= limits[1], name
        assert limits[1] - max(limits[0], 0) >= 5 - 1e-9, name
        assert axis.get_offset_text().get_text() == "", name
        if name == "comparison":
            low, high = figure.axes[1].get_xlim()
            assert (low, high) == (-1, 1)
            assert figure.axes[1].xaxis.get_offset_text().get_text() == ""


def test_wider_axes_stay_as_they_are() -> None:
    axes = new_figure(2, "title").subplots()
    axes.set(xlim=(-20, 3), ylim=(70, 80))
    percent_axis(axes, "y")
    difference_axis(axes, "x")
    assert (axes.get_xlim(), axes.get_ylim()) == ((-20, 3), (70, 80))


@pytest.mark.parametrize(("left_out", "said"), [(0, ""), (1, "1 setting"), (2, "2 settings")])
def test_settings_without_a_curve_of_coverage_are_counted(left_out: int, said: str) -> None:
    level = np.linspace(0, 1, 101)
    figure = draw_coverage({"a": level[None]}, PALETTE, left_out)
    note = " ".join(figure.get_supxlabel().split())
    assert ("left out" in note) == bool(left_out)
    assert not said or f"{said} left out: no poses with a covariance." in note
    low, high = figure.axes[0].get_ylim()
    assert (low, high) == (-1, 1)
