"""A table as HTML: rows that a script may sort, whole without one."""

from collections.abc import Sequence
from html import escape

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Column, Table, cells_text, for_readers

CELL_KINDS = {"text": "t", "number": "n", "estimate": "n"}  # classes of cells


def to_html(table: Table) -> str:
    """Title, rows and notes; a part of a page, which styles `table.result`, `td.n` and `p.note`.

    Every cell of a number says it in `data-value`, to be sorted by.
    """
    table = for_readers(table)
    kinds = [CELL_KINDS[column.kind] for column in table.columns]
    titles = [
        f'<th scope="col" class="{kind}">{escape(column.title)}</th>'
        for kind, column in zip(kinds, table.columns, strict=True)
    ]
    lines = ['<div class="wide"><table class="result">']
    if table.title:
        lines.append(f"<caption>{escape(table.title)}</caption>")
    lines += [f"<thead><tr>{''.join(titles)}</tr></thead>", "<tbody>"]
    for row, texts in zip(table.rows, cells_text(table), strict=True):
        lines.append(f"<tr>{''.join(_cells(table.columns, row, texts))}</tr>")
    lines += ["</tbody></table></div>", *(f'<p class="note">{escape(note)}</p>' for note in table.notes)]
    return "\n".join(lines) + "\n"


def _cells(columns: Sequence[Column], row: Sequence[Cell], texts: Sequence[tuple[str, bool]]) -> list[str]:
    found = []
    for column, cell, (text, strong) in zip(columns, row, texts, strict=True):
        shown = f"<strong>{escape(text)}</strong>" if strong else escape(text)
        value = cell.value if isinstance(cell, Estimate) else cell
        is_number = column.kind != "text" and isinstance(value, int | float)
        sorted_by = f' data-value="{value!r}"' if is_number else ""
        found.append(f'<td class="{CELL_KINDS[column.kind]}"{sorted_by}>{shown}</td>')
    return found
