"""Which columns of a table a terminal has room for, and how wide each is, so that no word is broken."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LEAST = 2  # columns that stay, whatever the width


@dataclass(frozen=True, kw_only=True)
class Span:
    """Characters that a column may have.

    Attributes:
        least: those of its longest word: with fewer one would be broken.
        cells: with which no cell takes a second line.
        whole: with which its title does not, either.
        rank: columns of higher rank give way first, of equals the last.
    """

    least: int
    cells: int
    whole: int
    rank: float = 0


def span(title: str, texts: Iterable[str], *, breaks: bool, rank: float = 0) -> Span:
    """Of a column: its title may break between words, its cells only if it `breaks`."""
    texts = list(texts)
    lines = max(map(_longest_line, texts), default=0)
    words = max(map(_longest_word, texts), default=0) if breaks else lines
    least = max(words, _longest_word(title))
    return Span(least=least, cells=max(lines, least), whole=max(lines, _longest_line(title)), rank=rank)


def fitted(spans: Sequence[Span], room: int, gap: int) -> Mapping[int, int]:
    """By number of the columns that stay, in their order, how many characters each has.

    Args:
        spans: of all columns.
        room: characters of a line, less what stands at its edges.
        gap: characters between two columns.
    """
    kept = dict(enumerate(spans))
    while len(kept) > LEAST and _total([each.least for each in kept.values()], gap) > room:
        del kept[max(list(kept)[1:], key=lambda number: (kept[number].rank, number))]
    widths = [each.least for each in kept.values()]
    for wanted in ([each.cells for each in kept.values()], [each.whole for each in kept.values()]):
        widths = _widened(widths, wanted, room - _total(widths, gap))
    return dict(zip(kept, widths, strict=True))


def wrapped(text: str, width: int) -> str:
    """The text in lines of at most so many characters; only a word that is longer is, too."""
    lines = text.splitlines()
    return "\n".join(
        textwrap.fill(line, width=max(1, width), break_long_words=False, break_on_hyphens=False)
        if len(line) > width
        else line
        for line in lines
    )


def _widened(widths: Sequence[int], wanted: Sequence[int], spare: int) -> list[int]:
    """Widths with as much of the spare characters as they want, or as all that want more than they get."""
    lack = [max(0, want - width) for width, want in zip(widths, wanted, strict=True)]
    found, left = list(widths), max(0, spare)
    order = sorted(range(len(lack)), key=lack.__getitem__)
    for place, number in enumerate(order):
        more = min(lack[number], left // (len(order) - place))
        found[number] += more
        left -= more
    return found


def _total(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _longest_line(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)
