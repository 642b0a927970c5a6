"""The comparison table: trials in, a table out.

Every accuracy on the test split stands with its 95 % bootstrap interval over images (`evaluation.scores`).

Two averages of ADD(-S) circulate under the name "mean" and differ by some percent; they stand here
as "mean of 3" (of the columns 0.02d, 0.05d, 0.10d) and "area" (under the accuracy-threshold curve
on [0, 0.1d], divided by 0.1).
"""

import math
from collections.abc import Callable, Mapping, Sequence

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Layout, Table, millions, shared_texts
from epropnp.inference.latency import BATCHES, in_words
from sweeps.results.columns import SEED, WIDE, Row, TrialColumn, pretraining, setting_columns

LEGEND = (
    "Scores are percent of the test images, averaged over objects, with 95 % bootstrap intervals over images "
    "(other seeds may lie outside: see the summary). "
    "mean of 3: mean of the three ADD(-S) columns. "
    "area: area under the ADD(-S) accuracy curve on [0, 0.1d], divided by 0.1. "
    "mean 1..10: mean of n deg n cm over n = 1..10. "
    "val 0.10d: ADD(-S) 0.10d on the validation split, before training on at most 100 images of each object, "
    "after it on all."
)
WIDER = 200  # characters of a terminal that is shown how long an image takes, too
MOST = 12  # rows in a terminal: the tables of a comparison are about a screen together
SHORT_LEGEND = "Percent of the test images, ± half the 95 % bootstrap interval over images."
LATENCY_LEGEND = (
    "ms: milliseconds per image of the network, and of the poses from its maps, one image at a time and (of "
    f"{BATCHES[-1]}) in batches of {BATCHES[-1]}; medians, with nothing else of the sweep running, on {{}}."
)
MIXED_NOTE = (
    "NOTE: the networks of these rows have seen different data before (column `pretraining`: {}); a "
    "difference between them may be that of the data: compare backbones within one kind."
)


def trial_table(rows: Sequence[Row], title: str) -> Table:
    """All that is known of each trial that was begun; a terminal is shown the most telling of it.

    Settings that all rows share move below the table there; a narrow terminal is shown half the width of each
    interval.
    """
    found, told = notes(rows), latency_notes(rows)
    rows = [row for row in rows if row.begun]
    columns = (
        TrialColumn("trial", lambda row: row.name, csv_only=True),
        *setting_columns(rows),
        *COLUMNS,
        TrialColumn("weights sha256", _checksum, csv_only=True),  # of pretrained weights
        # For readers a word will do: the reason stands in the notes.
        TrialColumn("status", _status, text=_first_word, csv_only=all(row.result for row in rows)),
    )
    return Table(
        title=title,
        columns=columns,
        rows=_cells(rows, columns),
        notes=[LEGEND, *told, *found],
        short_notes=[SHORT_LEGEND, *found],
        layout=Layout(wide=WIDE, overflow="fold", most=MOST),
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
    data = dict.fromkeys(pretraining(row).data for row in rows)
    if len(data) > 1:
        found.append(MIXED_NOTE.format("; ".join(data)))
    found += [f"{row.status.upper()}: {_said(row)}" for row in rows if row.begun and row.result is None]
    sources = [row.known.partition("/")[0] for row in rows if row.known is not None]
    if sources:
        sweeps = ", ".join(dict.fromkeys(sources))
        found.append(f"KNOWN: {len(sources)} trials were not trained again, but in other sweeps: {sweeps}")
    left = sum(not row.begun for row in rows)
    return found + ([f"WAITING: {left} trials that were not begun"] if left else [])


def latency_notes(rows: Sequence[Row]) -> list[str]:
    """What the milliseconds of these rows are, if there are any, and where they were measured."""
    found = [row.latency for row in rows if row.latency is not None]
    places = list(dict.fromkeys(latency.place for latency in found))
    several = len({latency.host for latency in found}) > 1
    more = " Those of different machines are among them: they cannot be compared." * several
    return [LATENCY_LEGEND.format("; ".join(places)) + more] if found else []


def _said(row: Row) -> str:
    return f"{row.name}: {row.reason}" if row.reason else row.name


def _cells(rows: Sequence[Row], columns: Sequence[TrialColumn]) -> list[list[Cell]]:
    return [[column.value(row) for column in columns] for row in rows]


def _status(row: Row) -> Cell:
    return f"{row.status}: {row.reason}" if row.reason else row.status


def _first_word(status: str) -> str:
    return status.partition(":")[0]


def of_result(field: str) -> Callable[[Row], Cell]:
    """Tells a field of a trial's result; None where there is none."""
    return lambda row: getattr(row.result, field) if row.result else None


def _checksum(row: Row) -> Cell:
    return row.result.weights_sha256[:12] if row.result and row.result.weights_sha256 else None


def _before(row: Row) -> Cell:
    """ADD(-S) 0.10d on the validation split before training, in percent."""
    if row.result is not None:
        return row.result.val_before[ADD]
    return row.history[0].get(f"val/{ADD}") if row.history else None


def _after(row: Row) -> Cell:
    """The same of the weights that are tested, or of a trial that ended early, the best epoch's so far."""
    if row.result is not None:
        return row.result.validated[ADD]
    return max((past.get(f"val/{ADD}", 0.0) for past in row.history), default=None)


def _ms(count: int, field: str) -> Callable[[Row], Cell]:
    """Of the images at once, the milliseconds of each."""

    def found(row: Row) -> Cell:
        cost = row.latency.batches.get(count) if row.latency else None
        return None if cost is None else getattr(cost, field)

    return found


def half_width(value: Estimate) -> str:
    """An estimate with half of its interval, `61.7 ±5.5`."""
    return f"{value.value:.1f} ±{(value.high - value.low) / 2:.1f}"


def _number(
    title: str,
    value: Callable[[Row], Cell],
    text: Callable[..., str] = str,
    terminal: float = math.inf,
) -> TrialColumn:
    return TrialColumn(title, value, kind="number", text=text, terminal=terminal)


def _score(title: str, key: str) -> TrialColumn:
    return TrialColumn(
        title,
        lambda row: row.scores.get(key),
        kind="estimate",
        text=interval,
        short_text=half_width,
        terminal=TELLING.get(title, math.inf),
    )


ADD = "add_0.10d"
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
TELLING: Mapping[str, float] = {  # of a terminal; by how many characters it must have
    "ADD(-S) 0.10d": 0,
    "ADD(-S) area": 30,
    "5deg5cm": 40,
    "2deg2cm": 50,
    "deg cm mean 1..10": 60,
}
LATENCIES = {  # title -> images at once, field of a `Cost`
    f"ms {part}{'' if count == 1 else f' of {count}'}": (count, field)
    for count in BATCHES
    for part, field in (("network", "network_ms"), ("poses", "layer_ms"))
}
COLUMNS: tuple[TrialColumn, ...] = (  # beside the settings
    SEED,
    _number("parameters", of_result("parameters"), text=millions, terminal=WIDE),
    _number("seconds", of_result("seconds"), text="{:.0f}".format, terminal=WIDE),
    *(_number(title, _ms(*of), text=in_words, terminal=WIDER) for title, of in LATENCIES.items()),
    _number("epochs", of_result("epochs")),
    _number("val 0.10d before", _before, text="{:.2f}".format),
    _number("val 0.10d after", _after, text="{:.2f}".format),
    *(_score(title, key) for title, key in SCORES.items()),
    TrialColumn("test images", of_result("test_images"), folds=True, terminal=70),
    TrialColumn("test boxes", of_result("test_boxes"), folds=True, terminal=70),
    TrialColumn("dataset", lambda row: row.dataset_id, folds=True, terminal=70),
)
