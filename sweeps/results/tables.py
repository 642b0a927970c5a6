"""The comparison table: trials in, a table out.

Every accuracy on the test split stands with its 95 % bootstrap interval over images (`evaluation.scores`).

Two averages of ADD(-S) circulate under the name "mean" and differ by some percent; they stand here
as "mean of 3" (of the columns 0.02d, 0.05d, 0.10d) and "area" (under the accuracy-threshold curve
on [0, 0.1d], divided by 0.1).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Column, Layout, Table, millions, shared_texts, yes_no
from epropnp.training.config import TrialConfig
from epropnp.training.result import TrialResult

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
class TrialColumn(Column):
    """A column with a cell for each trial.

    Attributes:
        value: the cell of a row.
    """

    value: Callable[[Row], Cell]


def trial_table(rows: Sequence[Row], title: str) -> Table:
    """All that is known of each trial; a terminal is shown the most telling of it.

    Settings that all rows share move below the table there; a narrow terminal is shown half the width of each
    interval.
    """
    found = notes(rows)
    return Table(
        title=title,
        columns=ALL_COLUMNS,
        rows=_cells(rows, ALL_COLUMNS),
        notes=[LEGEND, *found],
        short_notes=[SHORT_LEGEND, *found],
        layout=Layout(wide=WIDE, overflow="fold"),
    )


def shared_settings(rows: Sequence[Row], columns: Sequence[TrialColumn]) -> dict[str, str]:
    """By title, the texts of the settings that are the same in all rows that have them."""
    return shared_texts(columns, _cells(rows, columns))


def interval(value: Estimate) -> str:
    """An estimate with its interval, `61.67 [56.0, 67.0]`."""
    return f"{value.value:.2f} [{value.low:.1f}, {value.high:.1f}]"


def notes(rows: Sequence[Row]) -> list[str]:
    """What a reader must know before comparing: mixed initialisation, failed trials."""
    found = []
    if len({row.config.model.starts_from_weights for row in rows}) > 1:
        found.append(MIXED_NOTE)
    found += [f"FAILED: {row.name}: {row.failure}" for row in rows if row.result is None]
    return found


def _cells(rows: Sequence[Row], columns: Sequence[TrialColumn]) -> list[list[Cell]]:
    return [[column.value(row) for column in columns] for row in rows]


def _status(row: Row) -> Cell:
    return "finished" if row.result else f"failed: {row.failure}"


def _result(field: str) -> Callable[[Row], Cell]:
    return lambda row: getattr(row.result, field) if row.result else None


def _checksum(row: Row) -> Cell:
    return row.result.weights_sha256[:12] if row.result and row.result.weights_sha256 else None


def _validation(field: str) -> Callable[[Row], Cell]:
    return lambda row: getattr(row.result, field)["add_0.10d"] if row.result else None


def _half_width(value: Estimate) -> str:
    return f"{value.value:.1f} ±{(value.high - value.low) / 2:.1f}"


def _number(
    title: str,
    value: Callable[[Row], Cell],
    text: Callable[..., str] = str,
    missing: str = "-",
    terminal: float = math.inf,
) -> TrialColumn:
    return TrialColumn(title, value, kind="number", text=text, missing=missing, terminal=terminal)


def _score(title: str, key: str) -> TrialColumn:
    return TrialColumn(
        title,
        lambda row: row.scores.get(key),
        kind="estimate",
        text=interval,
        short_title=title.replace(" ", "\n"),
        short_text=_half_width,
        terminal=0 if title in TELLING else math.inf,
    )


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
SETTINGS: tuple[TrialColumn, ...] = (
    TrialColumn("recipe", lambda row: row.config.recipe, folds=True),
    TrialColumn(NAME, lambda row: row.config.model.backbone, one_line=WIDE),
    TrialColumn("head", lambda row: row.config.model.head, folds=True),
    TrialColumn("loss weight", lambda row: row.config.loss.mc, text="{:g}".format, folds=True),
    TrialColumn("pretrained", lambda row: row.config.model.starts_from_weights, text=yes_no, folds=True),
)
COLUMNS: tuple[TrialColumn, ...] = (
    *SETTINGS,
    TrialColumn("seed", lambda row: row.config.seed, folds=True),
    _number("parameters", _result("parameters"), text=millions, terminal=WIDE),
    _number("seconds", _result("seconds"), text="{:.0f}".format, missing="failed", terminal=WIDE),
    _number("epochs", _result("epochs")),
    _number("val 0.10d before", _validation("val_before"), text="{:.2f}".format),
    _number("val 0.10d after", _validation("val_after"), text="{:.2f}".format),
    *(_score(title, key) for title, key in SCORES.items()),
    TrialColumn("test images", _result("test_images"), folds=True),
    TrialColumn("dataset", lambda row: row.dataset_id, folds=True),
)
ALL_COLUMNS: tuple[TrialColumn, ...] = (
    TrialColumn("trial", lambda row: row.name, csv_only=True),
    *COLUMNS,
    TrialColumn("weights sha256", _checksum, csv_only=True),  # of pretrained weights
    TrialColumn("status", _status, csv_only=True),
)
