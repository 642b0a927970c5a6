"""Coverage by setting: 0 where regions hold what they promise."""

import numpy as np

from epropnp.visualization.coverage import draw_coverage
from epropnp.visualization.palette import Palette


def test_lines_are_the_excess_over_the_level() -> None:
    level = np.linspace(0, 1, 101)
    curves = {"right": level[None], "sure": np.stack([level**2, level**2])}
    axes = draw_coverage(curves, Palette(list(curves))).axes[0]
    lines = {line.get_label(): np.asarray(line.get_ydata(), float) for line in axes.lines}
    np.testing.assert_allclose(lines["right"], 0, atol=1e-9)
    np.testing.assert_allclose(lines["sure"][50], -25)
