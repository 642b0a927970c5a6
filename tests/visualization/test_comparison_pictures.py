"""Curves and comparisons are readable files, of the size that they need."""

from pathlib import Path

import numpy as np
import pytest

from epropnp.evaluation.comparison import compare
from epropnp.visualization.comparison import Curves, save_comparison, save_curves
from tests.pictures import picture_in


def test_curves_are_drawn(tmp_path: Path) -> None:
    save_curves({"a": Curves(loss=[1, 0.5], accuracy=[0, 10, 40])}, tmp_path / "curves.png")
    assert picture_in(tmp_path / "curves.png").shape[0] > 100


@pytest.mark.parametrize(("settings", "seeds"), [(1, 1), (2, 2), (12, 3)])
def test_the_picture_of_a_comparison_grows_with_its_settings(
    settings: int, seeds: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    trials = {f"backbone{k} deconv": 100.0 * (rng.random((seeds, 50)) < 0.05 * k) for k in range(settings)}
    save_comparison(compare(trials, np.zeros(50), resamples=50), "ADD(-S) 0.10d", tmp_path / "s.png")
    height, width, _ = picture_in(tmp_path / "s.png").shape
    assert width == 12 * 120
    assert height == pytest.approx(120 * (1.6 + 0.45 * max(settings, 2)), abs=2)
