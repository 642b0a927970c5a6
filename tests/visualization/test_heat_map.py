"""Scores by object: each number in its cell, and how many settings are left out."""

import numpy as np

from epropnp.visualization.heat_map import draw_objects
from epropnp.visualization.palette import Palette


def test_cells_hold_means_and_scores_by_rank() -> None:
    values = {f"s{k}": np.array([90.0 - k, 50 + k]) for k in range(40)}
    figure = draw_objects(values, ["cat", "duck"], "ADD", Palette(list(values)))
    axes = figure.axes[0]
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert len(cells) == 30 * 3
    assert [cells[column, 4] for column in range(3)] == ["70.0", "86.0", "54.0"]
    assert "10 settings of lower rank are not shown" in figure.get_supxlabel().replace("\n", " ")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(values)[:30]
