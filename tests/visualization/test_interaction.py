"""Heads by backbone and loss weights: each mean with its interval, at its row and value."""

import numpy as np

from epropnp.evaluation.estimate import Estimate
from epropnp.visualization.interaction import Point, draw_interaction, draw_loss_weight
from epropnp.visualization.palette import Palette


def test_each_head_has_a_line_through_its_backbones_the_best_on_top() -> None:
    value = {("low", "x"): 10.0, ("high", "x"): 50.0, ("low", "y"): 20.0, ("high", "y"): 30.0}
    cells = {key: Estimate(mean, mean - 2, mean + 3) for key, mean in value.items()}
    axes = draw_interaction(cells, "ADD", "", ("backbone", "head")).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["high", "low"]
    lines = {line.get_label(): line for line in axes.lines}
    assert np.asarray(lines["x"].get_xdata()).tolist() == [50, 10]
    assert np.asarray(lines["y"].get_xdata()).tolist() == [30, 20]
    assert np.rint(np.asarray(lines["y"].get_ydata(), float)).tolist() == [0, 1]
    bars = [np.asarray(path.vertices)[:, 0].tolist() for path in axes.collections[0].get_paths()]
    assert bars == [[48, 53], [8, 13]]
    assert lines["x"].get_marker() != lines["y"].get_marker()


def test_weights_stand_in_order_at_equal_distances() -> None:
    points = [Point(setting=f"s{x}", x=x, score=Estimate(10 * x, 0, 9)) for x in (0.5, 0.0, 0.02)]
    axes = draw_loss_weight({"resnet": points}, "ADD", Palette(["s0.5"])).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "resnet")
    np.testing.assert_allclose(
        np.asarray(line.get_xydata(), float), np.array([[0, 0], [1, 0.2], [2, 5]]), atol=0.1
    )
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.02", "0.5"]
