"""The answer of a sweep: which setting is best, by how much, and whether that can be told.

Trials that differ in the seed only are one setting, one row. `epropnp.evaluation.comparison` says how the
mean, its interval, the difference to the best setting and the verdict come about; all trials of a sweep are
tested on the same images, so that differences are taken image by image. `sentences` puts it in words.

Settings are ranked by `SELECTION`, and again by each of the other scores of `RANKED`.
"""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.errors import UserError
from epropnp.evaluation.comparison import Compared, Comparison, compare
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.table import Cell, Column, Layout, Table
from epropnp.evaluation.table_text import to_markdown
from epropnp.evaluation.thresholds import MARGIN
from sweeps.results.columns import PRETRAINING, Row, labels, pretraining, setting_columns
from sweeps.results.sentences import LACKING, LEGEND, answer, could_show, seed_notes
from sweeps.results.tables import ADD, MOST, SCORES, half_width, interval, notes, shared_settings
from sweeps.results.tested import ImageScores
from sweeps.search.search import by_setting, setting_of

SELECTION = "ADD(-S) 0.10d"  # title of a score in the table
RANKED = (SELECTION, "ADD(-S) area", "5deg5cm")
SPREAD = "spread between seeds"
WIDE = 110  # characters of a terminal that is shown whole intervals
OTHER_DATA = "(!)"  # marks a setting whose weights have seen other data than the first one's
COLUMNS: tuple[Column, ...] = (
    Column("setting"),
    Column("seeds", kind="number", terminal=40),
    Column("mean", kind="estimate", text=interval, short_text=half_width),
    Column(SPREAD, kind="number", text="{:.2f}".format, short_title="spread", terminal=60),
    Column(
        "difference to the best",
        kind="estimate",
        text=interval,
        short_title="difference",
        short_text=half_width,
    ),
    Column("flips", kind="number", terminal=100),
    Column("verdict"),
)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All settings of a sweep, compared.

    Attributes:
        settings: by label, the finished rows that differ in the seed only.
        ranked: by title of a score, the settings compared.
        notes: what a reader must know.
        asked: by label, how many seeds of a setting there are to be.
        so_far: begins the answer where trials are to be finished yet.
    """

    settings: Mapping[str, Sequence[Row]]
    ranked: Mapping[str, Comparison]
    notes: Sequence[str]
    asked: Mapping[str, int]
    so_far: str = ""

    def answer(self, score: str) -> str:
        """The result for one score."""
        return (self.so_far if score == SELECTION else "") + answer(score, self.ranked[score])


def summarise(
    rows: Sequence[Row],
    images: Mapping[str, ImageScores],
    margin: float = MARGIN,
    titles: Sequence[str] = RANKED,
) -> Summary:
    """Compare the settings of a sweep.

    Args:
        rows: of all trials; those that failed are left out and counted in a note.
        images: by name, what the finished ones scored; at least one.
        margin: points of a score within which settings are called equal, if that can be shown.
        titles: of the scores that are compared; `SELECTION` is one.

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

    def trials(key: str) -> dict[str, Array]:
        return {
            label: np.stack([images[row.name].values[key] for row in group])
            for label, group in settings.items()
        }

    wanted = Counter(setting_of(row.config, row.dataset_id) for row in rows)
    asked = {
        label: wanted[setting_of(group[0].config, group[0].dataset_id)] for label, group in settings.items()
    }
    lacking = {label for label, group in settings.items() if len(group) < asked[label]}
    hits = trials(ADD)
    ranked = {
        title: compare(trials(SCORES[title]), first.object_id, hits=hits, lacking=lacking, margin=margin)
        for title in titles
    }
    found = _notes(rows, settings)
    return Summary(
        settings=settings,
        ranked=ranked,
        notes=[*found, LACKING] if 0 < len(lacking) < len(settings) else found,
        asked=asked,
        so_far=_so_far(rows, len(finished)),
    )


def _so_far(rows: Sequence[Row], finished: int) -> str:
    if all(row.status not in ("waiting", "running") for row in rows):
        return ""
    return f"So far, with {finished} of {len(rows)} trials finished: "


def summary_table(summary: Summary) -> Table:
    """Everything for a program: a row per score and setting."""
    settings = setting_columns(_rows(summary))
    rows = []
    for title, comparison in summary.ranked.items():
        for row in comparison.settings:
            group = summary.settings[row.name]
            seeds = " ".join(str(trial.config.seed) for trial in group)
            own = [column.value(group[0]) for column in settings]
            numbers = (row.mean, row.difference, row.spread)
            gained, lost = (row.flips.gained, row.flips.lost) if row.flips else (None, None)
            words = comparison.words(row)
            rows.append(
                [title, row.name, *own, seeds, *numbers, gained, lost, words, comparison.least_margin]
            )
    columns = (
        *(Column("score"), Column("setting"), *settings, Column("seeds")),
        *(Column("mean", kind="estimate"), Column("difference", kind="estimate")),
        *(Column(SPREAD, kind="number"), Column("right here only", kind="number")),
        *(Column("right in the best only", kind="number"), Column("verdict")),
        Column("smallest margin", kind="number"),
    )
    return Table(columns=columns, rows=rows)


def answer_table(summary: Summary) -> Table:
    """For a terminal: the answer and ranking of `SELECTION`, and the answers of the other scores below it."""
    ranking = _ranking(summary, SELECTION)
    others = [summary.answer(score) for score in summary.ranked if score != SELECTION]
    return dataclasses.replace(
        ranking,
        title=summary.answer(SELECTION),
        notes=[*others, LEGEND, *ranking.notes, *summary.notes],
        layout=Layout(wide=WIDE, title="left", overflow="fold", most=MOST),
    )


def summary_page(summary: Summary, title: str) -> str:
    """A Markdown document: the answers, then the ranking of each score."""
    answers = [f"- {summary.answer(score)}\n" for score in summary.ranked]
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
    found = summary.ranked[score]
    remark = could_show(found)
    remarks = [remark] if remark else []
    columns, rows = COLUMNS, [_cells(row, found, summary.asked[row.name]) for row in found.settings]
    data = [pretraining(summary.settings[row.name][0]).data for row in found.settings]
    if len(set(data)) > 1:
        columns = (*columns, Column(PRETRAINING))
        marked = [seen if seen == data[0] else f"{seen} {OTHER_DATA}" for seen in data]
        rows = [[*cells, mark] for cells, mark in zip(rows, marked, strict=True)]
        remarks.append(f"{OTHER_DATA}: other data before this training than the first row's.")
    return Table(title=score, columns=columns, rows=rows, notes=remarks)


def _cells(row: Compared, comparison: Comparison, asked: int) -> list[Cell]:
    difference = None if row is comparison.settings[0] else row.difference
    flips = f"+{row.flips.gained} -{row.flips.lost}" if row.flips else None
    seeds: Cell = len(row.seeds) if len(row.seeds) == asked else f"{len(row.seeds)} of {asked}"
    return [row.name, seeds, row.mean, row.spread, difference, flips, comparison.words(row)]


def _settings(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows that differ in the seed only, under a label of what tells them from the others."""
    groups = by_setting(rows)
    names = labels([group[0] for group in groups.values()])
    return {names[group[0].name]: group for group in groups.values()}


def _notes(rows: Sequence[Row], settings: Mapping[str, Sequence[Row]]) -> list[str]:
    return [*notes(rows), *seed_notes([len(group) for group in settings.values()])]
