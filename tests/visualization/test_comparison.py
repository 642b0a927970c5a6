"""The pictures of a sweep: every number in the row, the colour and the epoch that it belongs to."""

import dataclasses

import numpy as np
from matplotlib.colors import same_color

from epropnp.evaluation.comparison import Compared, Comparison
from epropnp.evaluation.estimate import Estimate
from epropnp.visualization.comparison import draw_comparison
from epropnp.visualization.palette import Palette

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


LOOKS = {
    "first": ("#000000", "*"),
    "second": ("#0072B2", "o"),
    "third": ("#D55E00", "v"),
    "fourth": ("#009E73", "s"),
}


def test_each_row_holds_score_seeds_interval_verdict_and_difference() -> None:
    figure = draw_comparison(compared(ROWS), "ADD", Palette([]))
    scores, differences = figure.axes
    assert [label.get_text() for label in scores.get_yticklabels()] == list(WORDS)
    assert scores.get_ylim()[0] > scores.get_ylim()[1]  # the best one on top
    for y, row in enumerate(ROWS):
        interval, value, seeds = scores.lines[3 * y : 3 * y + 3]
        np.testing.assert_allclose(np.asarray(interval.get_xdata()), [row.mean.low, row.mean.high])
        np.testing.assert_allclose(np.asarray(value.get_xdata()), row.mean.value)
        np.testing.assert_allclose(np.asarray(seeds.get_xdata()), row.seeds)
        for line in (interval, value, seeds):
            assert (np.asarray(line.get_ydata()) == y).all()
        colour, marker = LOOKS[row.name]
        assert same_color(interval.get_color(), colour)
        assert (value.get_marker(), differences.texts[y].get_text()) == (marker, WORDS[row.name])
        assert differences.texts[y].get_position()[1] == y
    for k, y in enumerate((1, 2, 3)):  # the best one has no difference to itself
        interval, value = differences.lines[2 * k : 2 * k + 2]
        found = ROWS[y].difference
        np.testing.assert_allclose(np.asarray(interval.get_xdata()), [found.low, found.high])
        np.testing.assert_allclose(np.asarray(value.get_xdata()), found.value)
        assert (np.asarray(interval.get_ydata()) == y).all()
    assert (np.asarray(differences.lines[-1].get_xdata()) == 0).all()


def test_verdicts_differ_in_colour_and_shape() -> None:
    assert len({colour for colour, _ in LOOKS.values()}) == len({shape for _, shape in LOOKS.values()}) == 4


def test_marks_beside_names_are_those_of_the_palette() -> None:
    palette = Palette([row.name for row in ROWS])
    marks = [
        line
        for line in draw_comparison(compared(ROWS), "ADD", palette).axes[0].lines
        if line.get_label() == "_mark"
    ]
    assert [np.asarray(mark.get_ydata()).tolist() for mark in marks] == [[y] for y in range(4)]
    assert [mark.get_color() for mark in marks] == [palette.colour(row.name) for row in ROWS]


def test_sixty_rows_are_all_there_and_lower() -> None:
    many = compared([ROWS[0]] + [dataclasses.replace(ROWS[2], name=f"s{k}") for k in range(59)])
    figure = draw_comparison(many, "ADD", Palette([]))
    assert len(figure.axes[0].get_yticklabels()) == 60
    assert figure.get_figheight() < 15
