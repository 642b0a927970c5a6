"""Flips: bars to the side and of the length of their counts."""

from matplotlib.patches import Rectangle

from epropnp.evaluation.flips import Flips
from epropnp.visualization.flips import draw_flips
from epropnp.visualization.palette import Palette


def test_bars_have_the_length_of_their_counts() -> None:
    counts = {"b": Flips(gained=3, lost=7), "c": Flips(gained=0, lost=20)}
    axes = draw_flips(counts, "a", 50, Palette(["a", "b", "c"])).axes[0]
    assert [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)] == [3, -7, 0, -20]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "c"]
