"""A result as a value, and the ways to write it: CSV, a Markdown document, a terminal.

A table holds plain values; how they read is said per column. CSV takes every column in full precision, a
document every column that is meant for readers, a terminal what fits into it. `table_html` and `table_latex`
write it, too.
"""

import csv
import dataclasses
import io
import math
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from epropnp.evaluation.estimate import Estimate

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
        terminal: characters of the narrowest terminal that shows the column.
        one_line: characters of the narrowest terminal in which its cells never break; an estimate never does.
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
        overflow: whether a word that is too long for its column is broken or cut.
    """

    wide: float = 0
    title: Literal["left", "center"] = "center"
    edges: bool = False
    overflow: Literal["fold", "ellipsis"] = "ellipsis"


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


def to_csv(table: Table) -> str:
    """All columns in full precision, None as an empty cell; no title and no notes."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([title for column in table.columns for title in _csv_titles(column)])
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        writer.writerow([value for column, cell in cells for value in _csv_values(column, cell)])
    return buffer.getvalue()


def to_markdown(table: Table, level: int = 1) -> str:
    """Title, rows and notes as a document, or as a part of one whose headings have `level`."""
    table = for_readers(table)
    lines = ["#" * level + f" {table.title}", ""] if table.title else []
    lines.append(_markdown_row([column.title for column in table.columns]))
    lines.append("|" + "|".join("---" if c.kind == "text" else "---:" for c in table.columns) + "|")
    lines += [
        _markdown_row([f"**{text}**" if strong else text for text, strong in cells])
        for cells in cells_text(table)
    ]
    for note in table.notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def print_table(table: Table, console: "Console") -> None:
    """Print the columns that a terminal has room for, and below them the notes, whose words stay whole."""
    from rich.text import Text

    console.print(to_rich(table, console.width))
    lines = "\n".join(terminal_notes(table, console.width)).splitlines()
    # rich breaks what is longer than the terminal, and a path must be one word when it is copied
    whole = partial(textwrap.fill, width=console.width, break_long_words=False, break_on_hyphens=False)
    for line in lines:
        console.print(Text(whole(line), style="table.caption"), soft_wrap=True)


def terminal_notes(table: Table, width: int) -> list[str]:
    """What stands below a table in a terminal of that width: what all rows share, then its notes."""
    dense = width < table.layout.wide
    notes = table.short_notes if dense and table.short_notes is not None else table.notes
    shared = _shared(table)
    said = "; ".join(f"{title}: {text}" for title, text in shared.items()) + "."
    return [said, *notes] if shared else [*notes]


def to_rich(table: Table, width: int) -> "RichTable":
    """The rows for a terminal of that many characters, with the columns that it has room for."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text  # unlike a string, it is never taken for markup

    dense = width < table.layout.wide
    shared = _shared(table)
    table = _only(table, lambda c: not c.csv_only and c.terminal <= width and c.title not in shared)
    found = RichTable(
        title=Text(table.title, style="table.title") if table.title else None,
        title_justify=table.layout.title,
        box=box.SIMPLE_HEAD,
        pad_edge=table.layout.edges,
        collapse_padding=dense,
    )
    for column in table.columns:
        found.add_column(
            Text((column.short_title if dense else None) or column.title),
            justify="left" if column.kind == "text" else "right",
            no_wrap=column.kind == "estimate" or column.one_line <= width,
            overflow=table.layout.overflow,
        )
    for cells in cells_text(table, short=dense):
        found.add_row(*(Text(text, style="bold" if strong else "") for text, strong in cells))
    return found


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


def _only(table: Table, keep: Callable[[Column], bool]) -> Table:
    """The table without some of its columns."""
    rows = []
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        rows.append([cell for column, cell in cells if keep(column)])
    return dataclasses.replace(table, columns=list(filter(keep, table.columns)), rows=rows)


def _csv_titles(column: Column) -> list[str]:
    bounds = ("", " low", " high") if column.kind == "estimate" else ("",)
    return [column.title + bound for bound in bounds]


def _csv_values(column: Column, cell: Cell) -> list[Cell]:
    if isinstance(cell, Estimate):
        return [cell.value, cell.low, cell.high]
    return [cell, *[None] * (len(_csv_titles(column)) - 1)]  # of a number without an interval, no bounds


def _markdown_row(texts: Sequence[str]) -> str:
    """A line of a table; no text ends its own cell."""
    return "| " + " | ".join(text.replace("|", r"\|").replace("\n", " ") for text in texts) + " |"
