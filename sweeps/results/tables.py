"""The comparison table: trials in, Markdown, CSV and a terminal table out.

Every accuracy on the test split stands with its 95 % bootstrap interval over images (`evaluation.scores`).

Two averages of ADD(-S) circulate under the name "mean" and differ by some percent; they stand here
as "mean of 3" (of the columns 0.02d, 0.05d, 0.10d) and "area" (under the accuracy-threshold curve
on [0, 0.1d], divided by 0.1).
"""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich import box
from rich.table import Table

from epropnp.evaluation.estimate import Estimate
from epropnp.training.config import TrialConfig
from epropnp.training.result import TrialResult

Value = str | int | float | bool | Estimate | None

LEGEND = (
    "Scores are percent of the test images, averaged over objects, with 95 % bootstrap intervals over images "
    "(other seeds may lie outside: see the summary). "
    "mean of 3: mean of the three ADD(-S) columns. "
    "area: area under the ADD(-S) accuracy curve on [0, 0.1d], divided by 0.1. "
    "mean 1..10: mean of n deg n cm over n = 1..10. "
    "val 0.10d: ADD(-S) 0.10d on the validation split, before and after training."
)
SHORT_LEGEND = (
    "Percent of the test images, ± half the 95 % bootstrap interval over images; all columns: table.md."
)
MIXED_NOTE = (
    "NOTE: rows with and without ImageNet weights stand in one table (column `pretrained`); "
    "compare backbones only within one kind."
)
WIDE = 150  # characters of a terminal that is shown whole intervals and the cost of each trial


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial in the table: its result and its scores, or the reason why it has none."""

    name: str
    config: TrialConfig
    dataset_id: str
    result: TrialResult | None = None
    failure: str | None = None
    scores: Mapping[str, Estimate] = field(default_factory=dict)  # on the test split


@dataclass(frozen=True)
class Column:
    """One column: its title, how a row's value is read, and how it is written."""

    title: str
    value: Callable[[Row], Value]
    text: Callable[[Value], str] = str
    of_setting: bool = False  # a setting may be folded into the caption when all rows share it
    terminal: float = 0  # characters of the narrowest terminal that shows it


def table_csv(rows: Sequence[Row]) -> str:
    """All columns, full precision, one line per trial, failed ones with their reason."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    titles: list[str] = []
    for column in CSV_COLUMNS:
        bounds = ("", " low", " high") if column.title in SCORES else ("",)
        titles += [column.title + bound for bound in bounds]
    writer.writerow(["trial", *titles, "status"])
    for row in rows:
        values = [value for column in CSV_COLUMNS for value in _plain(column, row)]
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


def table_rich(rows: Sequence[Row], title: str, width: int) -> Table:
    """The table for a terminal of that many characters: its most telling columns.

    Settings that all rows share move to the caption; a narrow terminal is shown half the width of each
    interval.
    """
    shared = shared_settings(rows, [column for column in COLUMNS if column.title != NAME])
    caption = "; ".join(f"{title}: {text}" for title, text in shared.items()) + "."
    table = Table(
        title=title,
        caption="\n".join((caption, LEGEND if width >= WIDE else SHORT_LEGEND, *notes(rows))),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=width < WIDE,
    )
    columns = [column for column in COLUMNS if column.title not in shared and column.terminal <= width]
    for column in columns:
        scored = column.title in SCORES
        table.add_column(
            column.title.replace(" ", "\n") if scored and width < WIDE else column.title,
            justify="left" if column.of_setting else "right",
            no_wrap=scored or (column.title == NAME and width >= WIDE),
            overflow="fold",
        )
    for row in rows:
        cells = (_cell(c, row) if width >= WIDE else _narrow_cell(c, row) for c in columns)
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    return table


def shared_settings(rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, str]:
    """By title, the texts of the settings that are the same in all rows that have them."""
    shared = {}
    for column in columns:
        texts = {_cell(column, row) for row in rows if column.value(row) is not None}
        if column.of_setting and len(texts) == 1:
            shared[column.title] = texts.pop()
    return shared


def interval(value: Value) -> str:
    """An estimate with its interval, `61.67 [56.0, 67.0]`."""
    assert isinstance(value, Estimate)
    return f"{value.value:.2f} [{value.low:.1f}, {value.high:.1f}]"


def notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know before comparing: mixed initialisation, failed trials."""
    found = []
    if len({row.config.model.starts_from_weights for row in rows}) > 1:
        found.append(MIXED_NOTE)
    found += [f"FAILED: {row.name}: {row.failure}" for row in rows if row.result is None]
    return found


def _status(row: Row) -> str:
    return "finished" if row.result else f"failed: {row.failure}"


def _plain(column: Column, row: Row) -> list[Value]:
    """The CSV fields of a cell."""
    value = column.value(row)
    if isinstance(value, Estimate):
        return [value.value, value.low, value.high]
    return ["" if value is None else value] * (3 if column.title in SCORES else 1)


def _cell(column: Column, row: Row) -> str:
    value = column.value(row)
    if value is None:
        return "failed" if column.title == "seconds" else "-"
    return column.text(value)


def _narrow_cell(column: Column, row: Row) -> str:
    value = column.value(row)
    if isinstance(value, Estimate):
        return f"{value.value:.1f} ±{(value.high - value.low) / 2:.1f}"
    return _cell(column, row)


def _result(field: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.result, field) if row.result else None


def _checksum(row: Row) -> Value:
    return row.result.weights_sha256[:12] if row.result and row.result.weights_sha256 else None


def _validation(field: str) -> Callable[[Row], Value]:
    return lambda row: getattr(row.result, field)["add_0.10d"] if row.result else None


def _percent(value: Value) -> str:
    return f"{value:.2f}"


def _millions(value: Value) -> str:
    return f"{value / 1e6:.2f} M" if isinstance(value, int) else "-"


def _yes_no(value: Value) -> str:
    return "yes" if value else "no"


def _whole(value: Value) -> str:
    return f"{value:.0f}"


def _short(value: Value) -> str:
    return f"{value:g}"


def _score(title: str, key: str, terminal: float = math.inf) -> Column:
    return Column(title, lambda row: row.scores.get(key), interval, terminal=terminal)


NAME = "backbone"  # always shown
SCORES = {  # title -> key of `image_scores`
    "ADD(-S) 0.02d": "add_0.02d",
    "ADD(-S) 0.05d": "add_0.05d",
    "ADD(-S) 0.10d": "add_0.10d",
    "ADD(-S) mean of 3": "add_mean3",
    "ADD(-S) area": "add_area",
    "2deg2cm": "2deg2cm",
    "5deg5cm": "5deg5cm",
    "10deg10cm": "10deg10cm",
    "deg cm mean 1..10": "degcm_mean_1_10",
}
TELLING = ("ADD(-S) 0.10d", "ADD(-S) area", "2deg2cm", "5deg5cm", "deg cm mean 1..10")  # in every terminal
SETTINGS: tuple[Column, ...] = (
    Column("recipe", lambda row: row.config.recipe, of_setting=True),
    Column(NAME, lambda row: row.config.model.backbone, of_setting=True),
    Column("head", lambda row: row.config.model.head, of_setting=True),
    Column("loss weight", lambda row: row.config.loss.mc, _short, of_setting=True),
    Column("pretrained", lambda row: row.config.model.starts_from_weights, _yes_no, of_setting=True),
)
COLUMNS: tuple[Column, ...] = (
    *SETTINGS,
    Column("seed", lambda row: row.config.seed, of_setting=True),
    Column("parameters", _result("parameters"), _millions, terminal=WIDE),
    Column("seconds", _result("seconds"), _whole, terminal=WIDE),
    Column("epochs", _result("epochs"), terminal=math.inf),
    Column("val 0.10d before", _validation("val_before"), _percent, terminal=math.inf),
    Column("val 0.10d after", _validation("val_after"), _percent, terminal=math.inf),
    *(_score(title, key, 0 if title in TELLING else math.inf) for title, key in SCORES.items()),
    Column("test images", _result("test_images"), of_setting=True),
    Column("dataset", lambda row: row.dataset_id, of_setting=True),
)
CSV_COLUMNS: tuple[Column, ...] = (*COLUMNS, Column("weights sha256", _checksum))  # of pretrained weights
