"""Accuracy curves: points that can be counted by hand, bands over seeds, and what is grey."""

import numpy as np

from epropnp.visualization.accuracy import THRESHOLDS_D, accuracy_curve, draw_accuracy
from epropnp.visualization.palette import GREY, Palette


def test_images_strictly_below_count_and_objects_count_alike() -> None:
    errors = np.array([[0.01, 0.03, 0.05, np.nan], [0.02, 0.2, 0.2, 0.2]])
    found = accuracy_curve(errors, np.array([1, 2, 2, 2]), np.array([0.01, 0.02, 0.04, 1.0]))
    np.testing.assert_allclose(found, np.array([[0, 50, 50 + 50 / 3, 50 + 100 / 3], [0, 0, 50, 100]]))


def test_lines_are_means_and_bands_reach_from_worst_to_best_seed() -> None:
    values = np.stack([100 * THRESHOLDS_D, 300 * THRESHOLDS_D])
    names = [f"s{k}" for k in range(9)]
    figure = draw_accuracy(dict.fromkeys(names, values), Palette(names))
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines if str(line.get_label()).startswith("s")}
    assert len(lines) == 9
    for line in lines.values():
        np.testing.assert_allclose(np.asarray(line.get_ydata()), 200 * THRESHOLDS_D)
    assert [name for name in names if lines[name].get_color() == GREY] == ["s7", "s8"]
    assert len(axes.collections) == 7
    ends = np.asarray(axes.collections[0].get_paths()[0].vertices)
    right = ends[np.isclose(ends[:, 0], 0.1), 1]
    np.testing.assert_allclose([right.min(), right.max()], [10, 30])
    assert "Grey: 2 other settings" in figure.get_supxlabel().replace("\n", " ")
    assert {text.get_text() for text in axes.texts} == set(names[:7])
