"""The pictures of a sweep: every number in the row, the colour and the epoch that it belongs to."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from epropnp.evaluation.comparison import Compared, Comparison
from epropnp.evaluation.estimate import Estimate
from epropnp.visualization.comparison import Curves, save_comparison, save_curves

WORDS = {
    "first": "best",
    "second": "not distinguishable",
    "third": "worse",
    "fourth": "equal within 4.5",
}
ROWS = [
    Compared(
        name=name,
        seeds=tuple(start + k for k in range(seeds)),
        mean=Estimate(start + 0.5, start - 3, start + 4),
        spread=1.0,
        difference=Estimate(start - 90.0, start - 95, start - 84),
        verdict=verdict,  # type: ignore[arg-type]
    )
    for name, start, seeds, verdict in (
        ("first", 90, 2, "best"),
        ("second", 80, 3, "not distinguishable"),
        ("third", 60, 1, "worse"),
        ("fourth", 50, 2, "equal"),
    )
]


def compared(rows: list[Compared]) -> Comparison:
    return Comparison(settings=tuple(rows), margin=4.5, least_margin=None, seed_share=0.0)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    figures: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures.append(figure))
    return figures


def test_each_row_holds_score_seeds_interval_and_difference(shown: list[Figure], tmp_path: Path) -> None:
    save_comparison(compared(ROWS), "ADD", tmp_path / "s.png")
    scores, differences = shown[0].axes
    assert [label.get_text() for label in scores.get_yticklabels()] == list(WORDS)
    assert scores.get_ylim()[0] > scores.get_ylim()[1]  # the best one on top
    colours = ("tab:green", "tab:blue", "tab:red", "tab:olive")
    for y, (row, colour) in enumerate(zip(ROWS, colours, strict=True)):
        interval, value, seeds = scores.lines[3 * y : 3 * y + 3]
        np.testing.assert_allclose(np.asarray(interval.get_xdata()), [row.mean.low, row.mean.high])
        np.testing.assert_allclose(np.asarray(value.get_xdata()), row.mean.value)
        np.testing.assert_allclose(np.asarray(seeds.get_xdata()), row.seeds)
        for line in (interval, value, seeds):
            assert (np.asarray(line.get_ydata()) == y).all()
        assert same_color(interval.get_color(), colour)
        assert same_color(value.get_color(), colour)
        text = differences.texts[y]
        assert (text.get_text(), text.get_position()[1]) == (WORDS[row.name], y)
        assert same_color(text.get_color(), colour)
    # The best one has no difference to itself; then the line at 0.
    for k, y in enumerate((1, 2, 3)):
        interval, value = differences.lines[2 * k : 2 * k + 2]
        found = ROWS[y].difference
        np.testing.assert_allclose(np.asarray(interval.get_xdata()), [found.low, found.high])
        np.testing.assert_allclose(np.asarray(value.get_xdata()), found.value)
        assert (np.asarray(interval.get_ydata()) == y).all()
    assert (np.asarray(differences.lines[-1].get_xdata()) == 0).all()
    assert scores.get_xlabel() == "ADD, %\nmean, 95 % interval, seeds as dots"


def test_seeds_are_not_mentioned_where_there_is_one(shown: list[Figure], tmp_path: Path) -> None:
    save_comparison(compared(ROWS[2:3]), "ADD", tmp_path / "s.png")
    assert shown[0].axes[0].get_xlabel() == "ADD, %\nmean, 95 % interval"


def test_losses_start_after_the_first_epoch_and_accuracies_before_it(
    shown: list[Figure], tmp_path: Path
) -> None:
    trials = {
        "a": Curves(loss=[3, 2], accuracy=[10, 20, 30]),
        "b": Curves(loss=[7, 6], accuracy=[1, 2, 3]),
    }
    save_curves(trials, tmp_path / "c.png")
    loss, accuracy = shown[0].axes
    for k, curves in enumerate(trials.values()):
        assert np.asarray(loss.lines[k].get_xdata()).tolist() == [1, 2]
        assert np.asarray(loss.lines[k].get_ydata()).tolist() == curves.loss
        assert np.asarray(accuracy.lines[k].get_xdata()).tolist() == [0, 1, 2]
        assert np.asarray(accuracy.lines[k].get_ydata()).tolist() == curves.accuracy
        assert same_color(loss.lines[k].get_color(), accuracy.lines[k].get_color())
    assert [line.get_label() for line in loss.lines] == ["a", "b"]
    assert accuracy.get_ylim() == (0, 100)
    legend = loss.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
