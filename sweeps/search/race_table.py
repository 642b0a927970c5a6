"""The table of a race: who may still be the best, and by how much the others fell behind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Column, Layout, Table
from epropnp.evaluation.table_text import to_csv, to_markdown
from epropnp.files import replaced
from sweeps.results.tables import MOST, interval

COLUMNS = (
    Column("setting"),
    Column("seeds", kind="number", terminal=40),
    Column("validation mean", kind="number", text="{:.2f}".format),
    Column("difference", kind="estimate", text=interval),
    Column("verdict"),
)


@dataclass(frozen=True)
class Fall:
    """How a setting left a race: the verdict in words, and the interval that decided it, if one did."""

    verdict: str
    difference: Estimate | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A setting of a race.

    Attributes:
        label: of the setting.
        seeds: trained to their end.
        mean: score over seeds and validation images; None without a seed.
        difference: to the setting that it fell behind, with the interval of that look; None if it did not.
        verdict: in words.
    """

    label: str
    seeds: int
    mean: float | None
    difference: Estimate | None
    verdict: str


def race_table(standings: Sequence[Standing], score: str, answer: str) -> Table:
    """One row per setting, in this order, under the answer."""
    rows = [[each.label, each.seeds, each.mean, each.difference, each.verdict] for each in standings]
    notes = [
        f"{score} on validation images; how the trials do on test images, the tables of the sweep tell.",
        "dropped: shown not to be the best by its difference to a setting that led then; the best one is "
        "dropped in 5 % of all races at most.",
    ]
    layout = Layout(title="left", overflow="fold", most=MOST)
    return Table(title=f"Race: {answer}", columns=COLUMNS, rows=rows, notes=notes, layout=layout)


def race_files(table: Table) -> Mapping[str, Callable[[Path], None]]:
    """Names of files that hold the table, and what writes them."""
    makers = {"race.md": to_markdown, "race.csv": to_csv}
    return {name: partial(_write, make=make, table=table) for name, make in makers.items()}


def _write(file: Path, make: Callable[[Table], str], table: Table) -> None:
    with replaced(file) as unfinished:
        unfinished.write_text(make(table), encoding="utf-8")
