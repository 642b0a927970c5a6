"""Which columns fit, and how wide each is, against widths counted by hand."""

from epropnp.evaluation.table_fit import Span, fitted, span, wrapped


def test_a_span_counts_words_lines_and_the_title() -> None:
    texts = ["not distinguishable", "best"]
    assert span("a verdict", texts, breaks=True) == Span(least=15, cells=19, whole=19)
    assert span("a verdict", texts, breaks=False, rank=3) == Span(least=19, cells=19, whole=19, rank=3)
    assert span("deg cm mean", ["1.0 M"], breaks=False) == Span(least=5, cells=5, whole=11)
    assert span("x", [], breaks=True) == Span(least=1, cells=1, whole=1)


def test_what_fits_is_as_wide_as_it_wants() -> None:
    spans = [Span(least=3, cells=5, whole=9), Span(least=2, cells=2, whole=4)]
    assert fitted(spans, 9 + 3 + 4, 3) == {0: 9, 1: 4}


def test_cells_are_given_room_before_titles_and_what_wants_little_gets_it_all() -> None:
    spans = [Span(least=10, cells=20, whole=20), Span(least=10, cells=30, whole=30)]
    assert fitted(spans, 20 + 1 + 15, 1) == {0: 17, 1: 18}  # of 15 characters none wants less than half
    assert fitted(spans, 20 + 1 + 25, 1) == {0: 20, 1: 25}
    spans = [Span(least=4, cells=8, whole=8), Span(least=4, cells=4, whole=20)]
    assert fitted(spans, 8 + 1 + 8, 1) == {0: 8, 1: 8}


def test_the_highest_rank_gives_way_first_then_the_last_and_never_the_first() -> None:
    spans = [Span(least=5, cells=5, whole=5, rank=rank) for rank in (9, 0, 2, 0)]
    assert list(fitted(spans, 23, 1)) == [0, 1, 2, 3]
    assert list(fitted(spans, 22, 1)) == [0, 1, 3]
    assert list(fitted(spans, 16, 1)) == [0, 1]
    assert fitted(spans, 1, 1) == {0: 5, 1: 5}


def test_lines_break_between_words_only() -> None:
    assert wrapped("not distinguishable", 15) == "not\ndistinguishable"
    assert wrapped("a-very-long/path here", 6) == "a-very-long/path\nhere"
    assert wrapped("as  it\nis", 10) == "as  it\nis"
    assert wrapped("", 3) == ""
