"""A result as a value, and the ways to write it: CSV, a Markdown document, a terminal.

A table holds plain values; how they read is said per column. CSV takes every column in full precision, a
document every column that is meant for readers, a terminal what fits into it without a broken word.
The first two are written by `table_text`, others by `table_html` and `table_latex`.
"""

import dataclasses
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table_fit import fitted, span, wrapped

if TYPE_CHECKING:  # loaded where a terminal is written to
    from rich.console import Console
    from rich.table import Table as RichTable

Cell = str | int | float | bool | Estimate | None


@dataclass(frozen=True)
class Column:
    """What a column holds, how its cells read, and where it is shown.

    Attributes:
        title: no two of a table are alike.
        kind: texts stand on the left, numbers and estimates on the right; an estimate fills three columns of
            a CSV: `title`, `title low`, `title high`.
        text: how a cell reads; never asked about None.
        missing: how None reads.
        short_title, short_text: the same for a dense terminal, where they differ.
        csv_only: not for readers.
        folds: a terminal says below the table what all rows that have a value share.
        terminal: characters of the narrowest terminal that shows the column; where there is no room for all
            that are left, those that need more give way first, of equals the last. Where it is not 0,
            a column without any value is not shown.
        one_line: characters of the narrowest terminal in which its cells never break between words; numbers
            and estimates never do.
    """

    title: str
    _: KW_ONLY
    kind: Literal["text", "number", "estimate"] = "text"
    text: Callable[[Any], str] = str
    missing: str = "-"
    short_title: str | None = None
    short_text: Callable[[Any], str] | None = None
    csv_only: bool = False
    folds: bool = False
    terminal: float = 0
    one_line: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a terminal lays a table out.

    Attributes:
        wide: characters of the narrowest terminal that is not dense; a dense one is given short titles, texts
            and notes, and one space between columns.
        title: where its lines stand.
        edges: whether a space stands before the first column and after the last.
        overflow: whether a word that is too long for any column is broken or cut.
        most: rows, and notes, that are shown at most; the number of the others is told.
    """

    wide: float = 0
    title: Literal["left", "center"] = "center"
    edges: bool = False
    overflow: Literal["fold", "ellipsis"] = "ellipsis"
    most: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Table:
    """A result.

    Attributes:
        columns: from left to right.
        rows: from top to bottom; a cell for each column.
        title: above it.
        notes: below it, a paragraph each.
        short_notes: in their place in a dense terminal, where they differ.
        layout: in a terminal.
        strong: cells that stand out, by the numbers of their rows and titles of their columns.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    notes: Sequence[str] = ()
    short_notes: Sequence[str] | None = None
    layout: Layout = Layout()
    strong: Collection[tuple[int, str]] = frozenset()


def print_table(table: Table, console: "Console", whole: object = None) -> None:
    """Print the rows and columns that a terminal has room for, and below them the notes; words stay whole.

    Args:
        table: to be printed.
        console: where to.
        whole: where all of it is to be read, if anywhere.
    """
    from rich.text import Text

    laid = _laid(table, console.width)
    _print_title(table, console, laid.characters)
    console.print(_rich(laid))
    notes = [*terminal_notes(table, console.width), *_left_out(table, laid, whole)]
    for line in "\n".join(notes).splitlines():
        # rich breaks what is longer than the terminal, and a path must be one word when it is copied
        console.print(Text(wrapped(line, console.width), style="table.caption"), soft_wrap=True)


def terminal_notes(table: Table, width: int) -> list[str]:
    """What stands below a table in a terminal of that width: what all rows share, then its notes."""
    dense = width < table.layout.wide
    notes = table.short_notes if dense and table.short_notes is not None else table.notes
    notes = [note for number, note in enumerate(notes) if number < table.layout.most]
    shared = _shared(table)
    said = "; ".join(f"{title}: {text}" for title, text in shared.items()) + "."
    return [said, *notes] if shared else [*notes]


def to_rich(table: Table, width: int) -> "RichTable":
    """The rows for a terminal of that many characters, with the columns that it has room for; no title."""
    return _rich(_laid(table, width))


@dataclass(frozen=True, kw_only=True)
class _Laid:
    """A table as a terminal shows it.

    Attributes:
        table: with the rows and columns that are shown.
        dense: whether in short.
        widths: characters of each column.
        characters: of a line.
        fits: whether no word needs more than its column has.
        crowded: titles of columns for which there was no room.
    """

    table: Table
    dense: bool
    widths: Sequence[int]
    characters: int
    fits: bool
    crowded: Sequence[str]


def _laid(table: Table, width: int) -> _Laid:
    dense, layout = width < table.layout.wide, table.layout
    left = {*_shared(table), *_empty(table)}
    rows = [row for number, row in enumerate(table.rows) if number < layout.most]
    table = dataclasses.replace(table, rows=rows)
    table = _only(table, lambda c: not c.csv_only and c.terminal <= width and c.title not in left)
    texts = [[text for text, _ in row] for row in cells_text(table, short=dense)]
    spans = [
        span(
            _title(column, dense),
            (row[number] for row in texts),
            breaks=column.kind == "text" and column.one_line > width,
            rank=column.terminal,
        )
        for number, column in enumerate(table.columns)
    ]
    gap, ends = (2 if dense else 3), (4 if layout.edges else 2)
    widths = fitted(spans, width - ends, gap)
    kept = [table.columns[number].title for number in widths]
    characters = ends + sum(widths.values()) + gap * (len(widths) - 1)
    return _Laid(
        table=_only(table, lambda column: column.title in kept),
        dense=dense,
        widths=list(widths.values()),
        characters=min(characters, width),
        fits=characters <= width,
        crowded=[column.title for column in table.columns if column.title not in kept],
    )


def _rich(laid: _Laid) -> "RichTable":
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text  # unlike a string, it is never taken for markup

    layout = laid.table.layout
    found = RichTable(box=box.SIMPLE_HEAD, pad_edge=layout.edges, collapse_padding=laid.dense)
    for column, width in zip(laid.table.columns, laid.widths, strict=True):
        found.add_column(
            Text(wrapped(_title(column, laid.dense), width)),
            justify="left" if column.kind == "text" else "right",
            no_wrap=laid.fits,  # lines are broken here
            overflow=layout.overflow,
        )
    for cells in cells_text(laid.table, short=laid.dense):
        lines = zip(cells, laid.widths, strict=True)
        found.add_row(
            *(Text(wrapped(text, width), style="bold" if strong else "") for (text, strong), width in lines)
        )
    return found


def _print_title(table: Table, console: "Console", characters: int) -> None:
    from rich.text import Text

    for line in wrapped(table.title, console.width).splitlines():
        centred = table.layout.title == "center"
        line = " " * max(0, (characters - len(line)) // 2 * centred) + line
        console.print(Text(line, style="table.title"), soft_wrap=True)


def _left_out(table: Table, laid: _Laid, whole: object) -> list[str]:
    """A line on what a terminal has no room for, and where it stands; none where nothing is left out."""
    rows, notes = (len(each) - table.layout.most for each in (table.rows, table.notes))
    told = [f"{count:.0f} more {word}" for count, word in ((rows, "rows"), (notes, "notes")) if count > 0]
    if laid.crowded:
        told.append(f"columns {', '.join(laid.crowded)}")
    where = f"; all of it: {whole}" if whole is not None else ""
    return [f"Not shown here: {'; '.join(told)}{where}."] if told else []


def _title(column: Column, dense: bool) -> str:
    return (column.short_title if dense else None) or column.title


def for_readers(table: Table) -> Table:
    """Without the columns that only CSV has."""
    return _only(table, lambda column: not column.csv_only)


def cells_text(table: Table, *, short: bool = False) -> Iterator[list[tuple[str, bool]]]:
    """Row by row, how each cell reads, and whether it stands out."""
    for number, row in enumerate(table.rows):
        cells = zip(table.columns, row, strict=True)
        yield [
            (cell_text(column, cell, short=short), (number, column.title) in table.strong)
            for column, cell in cells
        ]


def shared_texts(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> dict[str, str]:
    """By title, how the cells of a column read, where all rows that have a value agree."""
    shared = {}
    for column, *cells in zip(columns, *rows, strict=True):
        texts = {cell_text(column, cell) for cell in cells if cell is not None}
        if len(texts) == 1:
            shared[column.title] = texts.pop()
    return shared


def cell_text(column: Column, cell: Cell, *, short: bool = False) -> str:
    """How a cell reads, in a document or, `short`, in a dense terminal."""
    if cell is None:
        return column.missing
    return column.short_text(cell) if short and column.short_text else column.text(cell)


def millions(count: int) -> str:
    """A number of parameters, `25.56 M`."""
    return f"{count / 1e6:.2f} M"


def yes_no(value: bool) -> str:
    """`yes` or `no`."""
    return "yes" if value else "no"


def _shared(table: Table) -> dict[str, str]:
    """What all rows of the folding columns share."""
    folding = _only(table, lambda column: column.folds)
    return shared_texts(folding.columns, folding.rows)


def _empty(table: Table) -> list[str]:
    """Titles of columns of less weight that have no value in any row."""
    return [
        column.title
        for column, *cells in zip(table.columns, *table.rows, strict=True)
        if column.terminal and cells and all(cell is None for cell in cells)
    ]


def _only(table: Table, keep: Callable[[Column], bool]) -> Table:
    """The table without some of its columns."""
    rows = []
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        rows.append([cell for column, cell in cells if keep(column)])
    return dataclasses.replace(table, columns=list(filter(keep, table.columns)), rows=rows)
