"""A table of scores with confidence intervals: a line per score, average and objects side by side."""

import csv
import io
from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.scores import Estimates

AVERAGE = "average"
SCORE_WIDTH, CELL_WIDTH = 22, 24  # characters in a terminal

Columns = dict[str, dict[str, Estimate]]  # by title, by score


def merged(first: Estimates, second: Estimates) -> Estimates:
    """The scores of both; an object that `second` lacks keeps those of `first`."""
    per_object = {key: cells | second.per_object.get(key, {}) for key, cells in first.per_object.items()}
    return Estimates(first.average | second.average, per_object)


def table_columns(estimates: Estimates, names: Mapping[int, str]) -> Columns:
    """The columns: the average over objects first; a single object stands for itself."""
    objects = {f"{names[key]} ({key})": cells for key, cells in estimates.per_object.items()}
    return objects if len(objects) == 1 else {AVERAGE: estimates.average} | objects


def table_csv(columns: Columns) -> str:
    """One line per object and score, full precision."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["object", "score", "value", "low", "high"])
    for title, cells in columns.items():
        writer.writerows([title, key, cell.value, cell.low, cell.high] for key, cell in cells.items())
    return buffer.getvalue()


def table_markdown(columns: Columns, title: str, notes: Sequence[str]) -> str:
    """A Markdown document."""
    lines = [f"# {title}", "", "| score | " + " | ".join(columns) + " |"]
    lines.append("|---|" + "---:|" * len(columns))
    lines += ["| " + " | ".join([key, *cells]) + " |" for key, cells in _lines(columns)]
    for note in notes:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def table_rich(columns: Columns, width: int) -> Table:
    """For a terminal of that many characters: the average alone where not all columns fit."""
    fits = len(columns) == 1 or SCORE_WIDTH + CELL_WIDTH * len(columns) <= width
    shown = columns if fits else {AVERAGE: columns[AVERAGE]}
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("score", no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for key, cells in _lines(shown):
        table.add_row(key, *(cell.replace("[", r"\[") for cell in cells))
    return table


def _lines(columns: Columns) -> list[tuple[str, list[str]]]:
    keys = next(iter(columns.values()))
    return [(key, [str(cells.get(key, "-")) for cells in columns.values()]) for key in keys]
