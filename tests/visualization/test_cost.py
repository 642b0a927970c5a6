"""The Pareto front, checked against its definition, and who is labelled."""

import numpy as np

from epropnp.visualization.cost import Cost, draw_cost, pareto_front
from epropnp.visualization.palette import Palette


def test_the_front_holds_what_nothing_beats_in_both() -> None:
    rng = np.random.default_rng(0)
    costs, scores = rng.integers(1, 30, 60).astype(float), rng.integers(0, 30, 60).astype(float)
    front = set(pareto_front(costs, scores).tolist())
    for i in range(60):
        better = (costs <= costs[i]) & (scores >= scores[i]) & ((costs < costs[i]) | (scores > scores[i]))
        alike = np.flatnonzero((costs == costs[i]) & (scores == scores[i]))
        assert (i in front) == (not better.any() and i == alike[0])


def test_points_stand_where_they_belong_and_the_front_is_labelled() -> None:
    scores = {f"s{k}": 90.0 - k for k in range(9)}
    cost = Cost(title="ms", values={name: 20.0 - k for k, name in enumerate(scores)} | {"s3": 500.0})
    figure = draw_cost(scores, [cost], "ADD", Palette(list(scores)))
    axes = figure.axes[0]
    points = {str(line.get_label()): line for line in axes.lines}
    for name, score in scores.items():
        np.testing.assert_allclose(
            np.asarray(points[name].get_xydata(), float), np.array([[cost.values[name], score]])
        )
    corners = np.asarray(points["Pareto front"].get_xydata())[:-1]
    assert corners.tolist() == [[20.0 - k, 90.0 - k] for k in (8, 7, 6, 5, 4, 2, 1, 0)]
    assert {text.get_text() for text in axes.texts} == set(scores)  # the grey ones are on the front
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
