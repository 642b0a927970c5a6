"""The answer of a sweep: which setting is best, by how much, and whether that can be told.

Trials that differ in the seed only are one setting, one row. `epropnp.evaluation.comparison` says how the
mean, its interval, the difference to the best setting and the verdict come about; all trials of a sweep are
tested on the same images, so that differences are taken image by image.

Settings are ranked by `SELECTION`, and again by each of the other scores of `RANKED`.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.errors import UserError
from epropnp.evaluation.comparison import Compared, compare
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.table import Cell, Column, Layout, Table, to_markdown
from epropnp.training.config import TrialConfig
from sweeps.results.columns import Row, labels, setting_columns
from sweeps.results.tables import SCORES, interval, notes, shared_settings

SELECTION = "ADD(-S) 0.10d"  # title of a score in the table
RANKED = (SELECTION, "ADD(-S) area", "5deg5cm")
SPREAD = "spread between seeds"
COLUMNS = (
    Column("setting"),
    Column("seeds", kind="number", one_line=0),
    Column("mean", kind="estimate", text=interval),
    Column(SPREAD, kind="number", text="{:.2f}".format, short_title="spread", one_line=0),
    Column("difference to the best", kind="estimate", text=interval, short_title="difference"),
    Column("verdict"),
)

LEGEND = (
    "Percent, with 95 % intervals. mean: over seeds and test images; its interval accounts for other images "
    "and other seeds. spread between seeds: standard deviation. difference: paired over the same images; "
    "`not distinguishable` where its interval contains 0. Each interval stands for itself: of many settings "
    "that are equal in truth, some will be called worse. How to read this: docs/comparing.md."
)
ONE_SEED = (
    "NOTE: the spread between seeds is not included for settings with one seed: another seed may move them "
    "by more than their intervals say; run more, such as --seeds 0 1 2."
)
TWO_SEEDS = "NOTE: two seeds hardly tell how much seeds matter, so intervals are wide; three tell far more."


@dataclass(frozen=True, kw_only=True)
class ImageScores:
    """What the images of the test split count in one trial.

    Attributes:
        sample_id: n names.
        object_id: (n,).
        values: by key of `image_scores`, 0 to 100, (n,).
    """

    sample_id: list[str]
    object_id: Array
    values: Mapping[str, Array]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All settings of a sweep, compared.

    Attributes:
        settings: by label, the finished rows that differ in the seed only.
        ranked: by title of a score, the settings, best first.
        notes: what a reader must know.
    """

    settings: Mapping[str, Sequence[Row]]
    ranked: Mapping[str, Sequence[Compared]]
    notes: Sequence[str]


def summarise(rows: Sequence[Row], images: Mapping[str, ImageScores]) -> Summary:
    """Compare the settings of a sweep.

    Args:
        rows: of all trials; those that failed are left out and counted in a note.
        images: by name, what the finished ones scored; at least one.

    Raises:
        UserError: two trials were tested on different images.
    """
    finished = [row for row in rows if row.name in images]
    first = images[finished[0].name]
    for row in finished:
        if images[row.name].sample_id != first.sample_id:
            raise UserError(
                f"{row.name} and {finished[0].name} were not tested on the same images; "
                "delete the result.json of the wrong one and go on with --resume, which repeats its test"
            )
    settings = _settings(finished)
    ranked = {}
    for title in RANKED:
        key = SCORES[title]
        trials = {
            label: np.stack([images[row.name].values[key] for row in group])
            for label, group in settings.items()
        }
        ranked[title] = compare(trials, first.object_id)
    return Summary(settings=settings, ranked=ranked, notes=_notes(rows, settings))


def answer(summary: Summary, title: str = SELECTION) -> str:
    """The result for one score in a sentence."""
    best, *others = summary.ranked[title]
    if best.mean.value == 0:
        return f"{title}: every setting scores 0, so nothing tells them apart."
    text = f"{title}: best is {best.name} with {interval(best.mean)}"
    for verdict in ("not distinguishable", "worse"):
        names = [row.name for row in others if row.verdict == verdict]
        if names:
            text += f"; {verdict}: {', '.join(names)}"
    return text + "."


def summary_table(summary: Summary) -> Table:
    """Everything for a program: a row per score and setting."""
    settings = setting_columns(_rows(summary))
    rows = []
    for title, compared in summary.ranked.items():
        for row in compared:
            group = summary.settings[row.name]
            seeds = " ".join(str(trial.config.seed) for trial in group)
            own = [column.value(group[0]) for column in settings]
            numbers = (row.mean, row.difference, row.spread)
            rows.append([title, row.name, *own, seeds, *numbers, row.verdict])
    columns = (
        *(Column("score"), Column("setting"), *settings, Column("seeds")),
        *(Column("mean", kind="estimate"), Column("difference", kind="estimate")),
        *(Column(SPREAD, kind="number"), Column("verdict")),
    )
    return Table(columns=columns, rows=rows)


def answer_table(summary: Summary) -> Table:
    """For a terminal: the answer and ranking of `SELECTION`, and the answers of the other scores below it."""
    others = [answer(summary, score) for score in summary.ranked if score != SELECTION]
    return dataclasses.replace(
        _ranking(summary, SELECTION),
        title=answer(summary),
        notes=[*others, LEGEND, *summary.notes],
        layout=Layout(wide=math.inf, title="left", overflow="fold"),
    )


def summary_page(summary: Summary, title: str) -> str:
    """A Markdown document: the answers, then the ranking of each score."""
    answers = [f"- {answer(summary, score)}\n" for score in summary.ranked]
    rankings = [to_markdown(_ranking(summary, score), level=2) for score in summary.ranked]
    rows = _rows(summary)
    shared = shared_settings(rows, setting_columns(rows))
    common = "; ".join(f"{name}: {text}" for name, text in shared.items())
    remarks = [f"All settings: {common}."] if common else []
    remarks += [LEGEND, *summary.notes]
    return "\n".join([f"# {title}\n", "".join(answers), *rankings, *(f"{remark}\n" for remark in remarks)])


def _rows(summary: Summary) -> list[Row]:
    return [row for group in summary.settings.values() for row in group]


def _ranking(summary: Summary, score: str) -> Table:
    """The settings by one score, best first."""
    rows = [_cells(row) for row in summary.ranked[score]]
    return Table(title=score, columns=COLUMNS, rows=rows)


def _cells(row: Compared) -> list[Cell]:
    difference = None if row.verdict == "best" else row.difference
    return [row.name, len(row.seeds), row.mean, row.spread, difference, row.verdict]


def _settings(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that differ in the seed only, under a label of what tells them from the others."""
    groups: dict[tuple[TrialConfig, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((dataclasses.replace(row.config, seed=0), row.dataset_id), []).append(row)
    names = labels([group[0] for group in groups.values()])
    return {names[group[0].name]: group for group in groups.values()}


def _notes(rows: Sequence[Row], settings: Mapping[str, Sequence[Row]]) -> list[str]:
    seeds = [len(group) for group in settings.values()]
    found = notes(rows)
    if min(seeds) == 1:
        found.append(ONE_SEED)
    if 2 in seeds:
        found.append(TWO_SEEDS)
    return found
