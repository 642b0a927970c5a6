"""A table with a column of each kind, that is written in every way."""

import math

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Column, Layout, Table, yes_no

COLUMNS = (
    Column("trial", csv_only=True),
    Column("name"),
    Column("[b]|h", folds=True),
    Column("mean", kind="estimate", short_title="m", short_text=lambda e: f"{e.value:.0f}"),
    Column("seconds", kind="number", text="{:.1f}".format, missing="failed", terminal=44),
    Column("best", text=yes_no, terminal=math.inf),
)
ROWS: list[list[Cell]] = [
    ["t,1", "a|b", "fpn", Estimate(100 / 3, 29.5, 37.25), 61.5, True],
    ["t2", "[red]c[/red]", "fpn", Estimate(2.0, 1.0, 4.0), 7.0, False],
    ["t3", "d", None, None, None, None],
]
TABLE = Table(
    title="Sweep [bold]x[/bold]",
    columns=COLUMNS,
    rows=ROWS,
    notes=["Means [0, 1].", "NOTE: [i]one[/i] | two."],
    short_notes=["Means."],
    layout=Layout(wide=44),
)
