"""Curves of trainings: means and bands over seeds that may have come to different epochs."""

import numpy as np

from epropnp.visualization.curves import Curves, draw_curves, over_seeds
from epropnp.visualization.palette import Palette


def test_seeds_count_as_far_as_they_came() -> None:
    band = over_seeds([[1, 2, 6], [3, float("nan")]])
    np.testing.assert_allclose(band.mean, [2, 2, 6])
    np.testing.assert_allclose(band.low, [1, 2, 6])
    np.testing.assert_allclose(band.high, [3, 2, 6])


def test_losses_start_after_the_first_epoch_and_accuracies_before_it() -> None:
    seeds = [Curves(loss=[3, 2], accuracy=[10, 20, 30]), Curves(loss=[5, 2], accuracy=[0, 10, 20])]
    figure = draw_curves({"a": seeds, "b": seeds[:1]}, Palette(["a", "b"]))
    for axes, epochs, mean, own in zip(
        figure.axes, ([1, 2], [0, 1, 2]), ([4, 2], [5, 15, 25]), ("loss", "accuracy"), strict=True
    ):
        lines = {line.get_label(): line for line in axes.lines}
        assert np.asarray(lines["a"].get_xdata()).tolist() == epochs
        assert np.asarray(lines["a"].get_ydata()).tolist() == mean
        assert np.asarray(lines["b"].get_ydata()).tolist() == getattr(seeds[0], own)
        assert lines["a"].get_color() == Palette(["a", "b"]).colour("a")
        assert len(axes.collections) == 1  # b has one seed
