"""The comparison table: trials in, Markdown, CSV and a terminal table out.

Two averages of ADD(-S) circulate under the name "mean" and differ by some percent; they stand here
as "mean of 3" (of the columns 0.02d, 0.05d, 0.10d) and "area" (under the accuracy-threshold curve
on [0, 0.1d], divided by 0.1).
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from epropnp.training.config import TrialConfig
from epropnp.training.result import TrialResult

Value = str | int | float | bool | None

LEGEND = (
    "Scores are percent of the test images, averaged over objects. "
    "mean of 3: mean of the three ADD(-S) columns. "
    "area: area under the ADD(-S) accuracy curve on [0, 0.1d], divided by 0.1. "
    "mean 1..10: mean of n deg n cm over n = 1..10. "
    "val 0.10d: ADD(-S) 0.10d on the validation split, before and after training."
)
MIXED_NOTE = (
    "NOTE: rows with and without ImageNet weights stand in one table (column `pretrained`); "
    "compare backbones only within one kind."
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial in the table: its result, or the reason why it has none."""

    name: str
    config: TrialConfig
    dataset_id: str
    result: TrialResult | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Column:
    """One column: its title, how a row's value is read, and how it is written."""

    title: str
    value: Callable[[Row], Value]
    text: Callable[[Value], str] = str
    of_setting: bool = False  # a setting may be folded into the caption when all rows share it


def table_csv(rows: Sequence[Row]) -> str:
    """All columns, full precision, one line per trial, failed ones with their reason."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["trial", *(column.title for column in COLUMNS), "status"])
    for row in rows:
        values = ["" if (value := column.value(row)) is None else value for column in COLUMNS]
        writer.writerow([row.name, *values, _status(row)])
    return buffer.getvalue()


def table_markdown(rows: Sequence[Row], title: str) -> str:
    """The table with its legend and notes, as a Markdown document."""
    lines = [f"# {title}", ""]
    lines.append("| " + " | ".join(column.title for column in COLUMNS) + " |")
    lines.append("|" + "|".join("---" if c.of_setting else "---:" for c in COLUMNS) + "|")
    lines += ["| " + " | ".join(_cell(c, row) for c in COLUMNS) + " |" for row in rows]
    for note in (LEGEND, *notes(rows)):
        lines += ["", note]
    return "\n".join(lines) + "\n"


def table_rich(rows: Sequence[Row], title: str) -> Table:
    """The table for a terminal: settings that all rows share move to the caption."""
    shared = {c.title: text for c in COLUMNS[1:] if (text := _shared(c, rows)) is not None}
    table = Table(
        title=title,
        caption="; ".join(f"{title}: {text}" for title, text in shared.items())
        + ".\n"
        + "\n".join((LEGEND, *notes(rows))),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    columns = [column for column in COLUMNS if column.title not in shared]
    for column in columns:
        table.add_column(
            column.title,
            justify="left" if column.of_setting else "right",
            no_wrap=column.title == "backbone",
        )
    for row in rows:
        table.add_row(*(_cell(column, row) for column in columns))
    return table


def notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know before comparing: mixed initialisation, failed trials."""
    found = []
    if len({row.config.model.pretrained for row in rows}) > 1:
        found.append(MIXED_NOTE)
    found += [f"FAILED: {row.name}: {row.failure}" for row in rows if row.result is None]
    return found


def _shared(column: Column, rows: Sequence[Row]) -> str | None:
    """The text of a setting that is the same in all rows that have it, or None."""
    texts = {_cell(column, row) for row in rows if column.value(row) is not None}
    return texts.pop() if column.of_setting and len(texts) == 1 else None


def _status(row: Row) -> str:
    return "finished" if row.result else f"failed: {row.failure}"


def _cell(column: Column, row: Row) -> str:
    value = column.value(row)
    if value is None:
        return "failed" if column.title == "seconds" else "-"
    return column.text(value)


def _result(field: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.result, field) if row.result else None


def _test(key: str) -> Callable[[Row], Value]:
    return lambda row: row.result.test[key] if row.result else None


def _validation(field: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.result, field)["add_0.10d"] if row.result else None


def _percent(value: Value) -> str:
    return f"{value:.2f}"


def _millions(value: Value) -> str:
    return f"{float(value or 0) / 1e6:.2f} M"


def _yes_no(value: Value) -> str:
    return "yes" if value else "no"


def _whole(value: Value) -> str:
    return f"{value:.0f}"


def _short(value: Value) -> str:
    return f"{value:g}"


COLUMNS: tuple[Column, ...] = (
    Column("backbone", lambda row: row.config.model.backbone, of_setting=True),
    Column("head", lambda row: row.config.model.head, of_setting=True),
    Column("loss weight", lambda row: row.config.loss.mc, _short, of_setting=True),
    Column("pretrained", lambda row: row.config.model.pretrained, _yes_no, of_setting=True),
    Column("seed", lambda row: row.config.seed, of_setting=True),
    Column("parameters", _result("parameters"), _millions),
    Column("seconds", _result("seconds"), _whole),
    Column("epochs", _result("epochs")),
    Column("val 0.10d before", _validation("val_before"), _percent),
    Column("val 0.10d after", _validation("val_after"), _percent),
    Column("ADD(-S) 0.02d", _test("add_0.02d"), _percent),
    Column("ADD(-S) 0.05d", _test("add_0.05d"), _percent),
    Column("ADD(-S) 0.10d", _test("add_0.10d"), _percent),
    Column("ADD(-S) mean of 3", _test("add_mean3"), _percent),
    Column("ADD(-S) area", _test("add_area"), _percent),
    Column("2deg2cm", _test("2deg2cm"), _percent),
    Column("5deg5cm", _test("5deg5cm"), _percent),
    Column("10deg10cm", _test("10deg10cm"), _percent),
    Column("deg cm mean 1..10", _test("degcm_mean_1_10"), _percent),
    Column("test images", _result("test_images"), of_setting=True),
    Column("dataset", lambda row: row.dataset_id, of_setting=True),
)
