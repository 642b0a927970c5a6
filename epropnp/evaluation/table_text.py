"""A table as CSV and as a Markdown document."""

import csv
import io
from collections.abc import Sequence

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Column, Table, cells_text, for_readers


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
