"""Figures as files: of their width, lean, without a date, and plain numbers on logarithmic axes."""

from pathlib import Path

import numpy as np

from epropnp.visualization.canvas import new_figure, plain_log, save_figure
from tests.pictures import picture_in


def test_files_have_the_width_of_a_page_and_no_date(tmp_path: Path) -> None:
    figure = new_figure(2, "title", "note")
    figure.subplots().plot([0, 1])
    files = [tmp_path / "figures" / name for name in ("a.png", "a.pdf")]
    save_figure(figure, files)
    assert picture_in(files[0]).shape == (220, 1001, 3)
    content = files[1].read_bytes()
    assert content.startswith(b"%PDF")
    assert b"CreationDate" not in content
    assert sorted(file.name for file in files[0].parent.iterdir()) == ["a.pdf", "a.png"]


def test_logarithmic_ticks_read_as_plain_numbers() -> None:
    axes = new_figure(2, "title").subplots()
    axes.set(xscale="log", xlim=(0.9, 250))
    plain_log(axes, "x")
    ticks = [tick for tick in axes.get_xticks() if 0.9 <= tick <= 250]
    np.testing.assert_allclose(ticks, [1, 2, 5, 10, 20, 50, 100, 200])
    assert axes.xaxis.get_major_formatter()(200.0, 0) == "200"
