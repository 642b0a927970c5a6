"""The two tables of the report, for any comparison: the networks and their cost, and how well they do.

A row is a setting. Accuracies are means over its seeds, with the interval of `epropnp.evaluation.comparison`;
what stands out is the best of a column, with all that is not distinguishable from it.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from epropnp.evaluation.comparison import Compared
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Column, Layout, Table
from sweeps.results.columns import PRETRAINING, WEIGHTS, Row, TrialColumn, setting_columns
from sweeps.results.costs import COSTS, cost_notes
from sweeps.results.findings import Findings
from sweeps.results.published import PUBLISHED, Published
from sweeps.results.summary import SELECTION
from sweeps.results.tables import (
    MOST,
    SCORES,
    TELLING,
    half_width,
    interval,
    latency_notes,
    shared_settings,
)
from sweeps.results.tested import ImageScores

Group = Sequence[Row]
TOLD = ("best", "equal", "not distinguishable")  # verdicts of what stands out
ACCURACY_NOTE = (
    "Percent of the test images, averaged over objects: means over seeds, with 95 % intervals for other "
    "images and other seeds. Bold: the best of a column, and all that is not told from it or equal to it. "
    "area: under the ADD(-S) accuracy curve on [0, 0.1d], divided by 0.1. verdict: by ADD(-S) 0.10d."
)
PUBLISHED_NOTE = (
    "published: on the real LineMOD test images of 13 objects, as their authors say; no number here is of "
    "the same images unless these are LineMOD's."
)
SHORT_ACCURACY_NOTE = (
    "Percent of the test images, means over objects and seeds, ± half the 95 % interval for other images and "
    "other seeds. Bold: the best, and all that is not told from it. verdict: by ADD(-S) 0.10d."
)
HOURS = 3600.0
WIDE = 260  # characters of a terminal that is shown whole intervals: all of them have room there
FEW = 5  # rows of trials without a result, in a terminal


def groups_of(findings: Findings) -> list[Group]:
    """Settings, best first: those that are compared, then the others."""
    if findings.summary is None:
        return []
    ranked = findings.summary.ranked[SELECTION].settings
    return [*(findings.summary.settings[row.name] for row in ranked), *findings.others]


def accuracy_table(findings: Findings, published: bool = False) -> Table:
    """Table 2: every score of every setting, and what can be told of it.

    Args:
        findings: the comparison.
        published: whether rows of the literature stand below.
    """
    groups = groups_of(findings)
    own, shared = _settings(groups)
    seeds = Column("seeds", kind="number", terminal=20)
    columns = (*own, seeds, *(_score(title) for title in SCORES), Column("verdict"))
    found = [_compared(findings, group) for group in groups]
    rows = [
        [*_own(own, group), len(group), *_scores(group, each), _words(findings, each)]
        for group, each in zip(groups, found, strict=True)
    ]
    ranked = {} if findings.summary is None else findings.summary.ranked
    tied = [title for title, comparison in ranked.items() if comparison.tied]  # nothing of it stands out
    strong = {
        (number, title)
        for number, each in enumerate(found)
        for title, row in each.items()
        if row.verdict in TOLD and title not in tied
    }
    if published:
        rows += [_published(entry, own) for entry in PUBLISHED]
        shared = [*shared, PUBLISHED_NOTE]
    return Table(
        title="Accuracy",
        columns=columns,
        rows=rows,
        notes=[ACCURACY_NOTE, *shared],
        short_notes=[SHORT_ACCURACY_NOTE, *shared],
        strong=strong,
        layout=Layout(wide=WIDE, most=MOST),
    )


def object_table(findings: Findings, title: str = SELECTION) -> Table:
    """One score of each compared setting on each object, means over seeds; those above others stand out."""
    assert findings.summary is not None
    groups = [group for group in groups_of(findings) if any(row.name in findings.images for row in group)]
    images = next(iter(findings.images.values()))
    own, shared = _settings(groups)
    columns = [*own, *(_percent(name) for name in images.names.values())]
    values = [
        [_on_object(findings.images, group, SCORES[title], key) for key in images.names] for group in groups
    ]
    best, least = np.max(values, axis=0), np.min(values, axis=0)
    strong = {
        (number, name)
        for number, each in enumerate(values)
        for name, value, most, low in zip(images.names.values(), each, best, least, strict=True)
        if value == most > low
    }
    rows = [[*_own(own, group), *each] for group, each in zip(groups, values, strict=True)]
    return Table(
        title=f"{title} by object",
        columns=columns,
        rows=rows,
        notes=shared,
        strong=strong,
        layout=Layout(most=MOST),
    )


def network_table(findings: Findings) -> Table:
    """Table 1: what each setting is, how it was trained and what it costs."""
    groups = groups_of(findings)
    own, shared = _settings(groups, apart=(PRETRAINING, WEIGHTS))
    rows = [
        [*_own(own, group), *(_first(column, group) for column in COSTS), _hours(group)] for group in groups
    ]
    columns = (*own, *COSTS, Column("hours", kind="number", text="{:.2f}".format, terminal=40))
    notes = [
        *latency_notes([row for group in groups for row in group]),
        *cost_notes([row for group in groups for row in group]),
        "hours: of the training of one trial, mean over seeds, on the device it says.",
        *shared,
    ]
    return Table(
        title="Networks, training and cost", columns=columns, rows=rows, notes=notes, layout=Layout(most=MOST)
    )


def unfinished_table(findings: Findings) -> Table | None:
    """Trials without a result, which no mean holds; None where there is none."""
    rows = [row for row in findings.rows if row.result is None and row.begun]
    if not rows:
        return None
    epochs = Column("epochs done", kind="number", terminal=60)
    columns = (Column("trial"), Column("status"), epochs, Column("reason"))
    cells: list[list[Cell]] = [
        [row.name, row.status, max(0, len(row.history) - 1), row.reason] for row in rows
    ]
    return Table(title="Without a result", columns=columns, rows=cells, layout=Layout(most=FEW))


def _settings(groups: Sequence[Group], apart: Collection[str] = ()) -> tuple[list[TrialColumn], list[str]]:
    """Columns of what tells these settings apart, the backbone always, and what all share in words.

    Those of the titles `apart` are among neither: the table has them anyway.
    """
    rows = [row for group in groups for row in group]
    columns = [column for column in setting_columns(rows) if column.title not in apart]
    shared = shared_settings(rows, columns)
    own = [column for column in columns if column.title not in shared or column.title == "backbone"]
    told = "; ".join(f"{title}: {text}" for title, text in shared.items())
    return own, [f"All: {told}."] if told else []


def _own(columns: Sequence[TrialColumn], group: Group) -> list[Cell]:
    return [column.value(group[0]) for column in columns]


def _first(column: TrialColumn, group: Group) -> Cell:
    """Of the first seed that has a value: not all were measured."""
    return next((value for row in group if (value := column.value(row)) is not None), None)


def _score(title: str) -> Column:
    return Column(
        title,
        kind="estimate",
        text=_number_text,
        short_text=_short_text,
        terminal=TELLING.get(title, 79),
    )


def _percent(title: str) -> Column:
    return Column(title, kind="number", text="{:.2f}".format, terminal=1)


def _number_text(value: Estimate | float) -> str:
    return interval(value) if isinstance(value, Estimate) else f"{value:.2f}"


def _short_text(value: Estimate | float) -> str:
    return half_width(value) if isinstance(value, Estimate) else f"{value:.1f}"


def _compared(findings: Findings, group: Group) -> dict[str, Compared]:
    """By title of a score, what was found of a setting; nothing of one that is not compared."""
    assert findings.summary is not None
    labels = [label for label, rows in findings.summary.settings.items() if rows[0].name == group[0].name]
    ranked = findings.summary.ranked
    return {title: row for title in SCORES for row in ranked[title].settings if row.name in labels}


def _scores(group: Group, found: Mapping[str, Compared]) -> list[Cell]:
    """Means with intervals; alone, of a setting that is not compared."""
    if found:
        return [found[title].mean for title in SCORES]
    tests = [row.result.test for row in group if row.result is not None]
    return [float(np.mean([test[key] for test in tests])) for key in SCORES.values()]


def _words(findings: Findings, found: Mapping[str, Compared]) -> Cell:
    assert findings.summary is not None
    return findings.summary.ranked[SELECTION].words(found[SELECTION]) if found else None


def _on_object(images: Mapping[str, ImageScores], group: Group, key: str, number: int) -> float:
    values = [images[row.name] for row in group if row.name in images]
    return float(np.mean([each.values[key][each.object_id == number].mean() for each in values]))


def _published(entry: Published, own: Collection[TrialColumn]) -> list[Cell]:
    name = f"published: {entry.name}"
    settings: list[Cell] = [name if column.title == "backbone" else None for column in own]
    return [*settings, None, *(entry.scores.get(title) for title in SCORES), None]


def _hours(group: Group) -> Cell:
    found = [row.result.seconds / HOURS for row in group if row.result is not None]
    return float(np.mean(found)) if found else None
