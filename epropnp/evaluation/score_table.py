"""A table of scores with confidence intervals: a line per score, average and objects side by side."""

from collections.abc import Mapping

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.scores import Estimates
from epropnp.evaluation.table import Column, Layout, Table

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


def score_table(columns: Columns) -> Table:
    """A row per score; a terminal in which not all columns fit is shown the average alone."""
    fits = SCORE_WIDTH + CELL_WIDTH * len(columns) if len(columns) > 1 else 0
    keys = next(iter(columns.values()))
    return Table(
        columns=[
            Column("score", one_line=0),
            *(Column(name, kind="estimate", terminal=0 if name == AVERAGE else fits) for name in columns),
        ],
        rows=[[key, *(cells.get(key) for cells in columns.values())] for key in keys],
        layout=Layout(edges=True),
    )


def score_list(columns: Columns) -> Table:
    """A row per object and score, for a program."""
    return Table(
        columns=[
            *(Column("object"), Column("score")),
            *(Column(title, kind="number") for title in ("value", "low", "high")),
        ],
        rows=[
            [title, key, cell.value, cell.low, cell.high]
            for title, cells in columns.items()
            for key, cell in cells.items()
        ],
    )
