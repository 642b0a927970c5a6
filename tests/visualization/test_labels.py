"""Names beside lines: none covers another, and none moves further than it must."""

import numpy as np

from epropnp.visualization.labels import spread


def test_labels_that_are_apart_stay_and_others_part_evenly() -> None:
    found = spread(np.array([0.9, 0.5, 0.5, 0.1]), np.full(4, 0.1), 0, 1)
    np.testing.assert_allclose(found, [0.9, 0.45, 0.55, 0.1])


def test_labels_stay_within_the_edges() -> None:
    np.testing.assert_allclose(spread(np.array([1.0, 1.0]), np.full(2, 0.1), 0, 1), [0.85, 0.95])
    np.testing.assert_allclose(spread(np.array([0.0, 0.0]), np.array([0.1, 0.3]), 0, 1), [0.05, 0.25])
