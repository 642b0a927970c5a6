"""The rows of a sweep's tables, and the columns that tell them apart."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Cell, Column, cell_text
from epropnp.inference.latency import Latency
from epropnp.models.pretraining import Pretraining, pretraining_of
from epropnp.plain import flatten
from epropnp.training.config import TrialConfig
from epropnp.training.identity import INCIDENTAL
from epropnp.training.overrides import key_and_text
from epropnp.training.record import Record, Status
from epropnp.training.result import Metrics, TrialResult
from sweeps.build_settings import KNOWN, Build

NAME = "backbone"  # always shown
PRETRAINING = "pretraining"  # the data of the weights that a network starts from: told wherever it differs
WIDE = 150  # characters of a terminal that is shown whole intervals and the cost of each trial
WEIGHTS = "weights"
# Settings that have a column of their own, or are told by one.
COVERED = ("recipe", "model.backbone", "model.head", "model.pretrained", "loss.mc", "seed", *INCIDENTAL)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial in the table: its result and its scores, or the reason why it has none.

    Attributes:
        name, config, dataset_id, status, reason, history, result: of the trial.
        case: that it is of, where a sweep compares cases.
        build: settings of its data.
        known: sweep and name of the trial whose result it was given, where it was not trained here.
        scores: on the test split, of a finished one.
        latency: of its network, where it was measured.
        test_id: which images it is tested on; None where its folder does not say.
        record: where and by which versions it was trained.
    """

    name: str
    config: TrialConfig
    dataset_id: str
    status: Status = "finished"
    reason: str | None = None
    history: Sequence[Metrics] = ()
    result: TrialResult | None = None
    case: str | None = None
    build: Build = ()
    known: str | None = None
    scores: Mapping[str, Estimate] = field(default_factory=dict)
    latency: Latency | None = None
    test_id: str | None = None
    record: Record | None = None

    @property
    def begun(self) -> bool:
        """Whether there is anything to say of it."""
        return self.status != "waiting" or self.reason is not None or bool(self.history)


def pretraining(row: Row) -> Pretraining:
    """What a trial's network had seen before."""
    return pretraining_of(row.config.model)


@dataclass(frozen=True)
class TrialColumn(Column):
    """A column with a cell for each trial.

    Attributes:
        value: the cell of a row.
    """

    value: Callable[[Row], Cell]


SETTINGS: tuple[TrialColumn, ...] = (
    TrialColumn("recipe", lambda row: row.config.recipe, folds=True),
    TrialColumn(NAME, lambda row: row.config.model.backbone, one_line=WIDE),
    TrialColumn("head", lambda row: row.config.model.head, folds=True),
    TrialColumn("loss weight", lambda row: row.config.loss.mc, text="{:g}".format, folds=True),
    TrialColumn(PRETRAINING, lambda row: pretraining(row).data, folds=True, terminal=20),
    TrialColumn(WEIGHTS, lambda row: pretraining(row).tag, folds=True, terminal=75),
)

SEED = TrialColumn("seed", lambda row: row.config.seed, folds=True)
BARE = ("recipe", NAME, "head", "case")  # titles of what is told apart by its values alone


def setting_columns(rows: Sequence[Row]) -> tuple[TrialColumn, ...]:
    """What tells the settings of these rows apart: what always stands, cases, and whatever else varies.

    What follows from the recipe or the case is told by it.
    """
    cases = (TrialColumn("case", lambda row: row.case),) if any(row.case for row in rows) else ()
    columns = (*SETTINGS, *cases, *map(_column, _varying(rows)))
    return tuple(_distinct(column, rows) for column in columns)


def labels(rows: Sequence[Row]) -> dict[str, str]:
    """By name, what tells each of these rows from the others, in few words."""
    columns = [c for c in (*setting_columns(rows), SEED) if len({_label(row, [c]) for row in rows}) > 1]
    for column in [column for column in columns if column.title not in (*BARE, PRETRAINING)]:
        others = [each for each in columns if each is not column]
        if len({_label(row, others) for row in rows}) == len(rows):
            columns = others  # such as a loss weight that follows from the recipe
    found = {row.name: _label(row, columns) for row in rows}
    alike = Counter(found.values())  # such as one file of weights with two contents
    return {name: label if alike[label] == 1 else f"{label} {name}" for name, label in found.items()}


def alike(rows: Sequence[Row]) -> list[str]:
    """What these rows have in common of what usually tells rows apart: titles and values."""
    columns = [column for column in (*SETTINGS, SEED) if column.title not in (PRETRAINING, WEIGHTS)]
    found = [(column.title, {cell_text(column, column.value(row)) for row in rows}) for column in columns]
    return [f"{title} {next(iter(texts))}" for title, texts in found if len(texts) == 1]


def _label(row: Row, columns: Sequence[TrialColumn]) -> str:
    texts = [(column.title, cell_text(column, column.value(row))) for column in columns]
    words = [text if title in BARE else f"{title} {text}" for title, text in texts]
    return " ".join(words) or row.config.model.backbone


def _varying(rows: Sequence[Row]) -> list[str]:
    """Dotted settings that differ between rows of one recipe and case."""
    groups: dict[tuple[str, str | None], list[Mapping[str, Cell]]] = {}
    for row in rows:
        groups.setdefault((row.config.recipe, row.case), []).append(_settings(row))
    return [
        key
        for key in (setting.key for setting in KNOWN)
        if key not in COVERED
        and any(len({str(values.get(key)) for values in group}) > 1 for group in groups.values())
    ]


def _column(key: str) -> TrialColumn:
    return TrialColumn(key, lambda row: _settings(row).get(key), folds=True)


def _settings(row: Row) -> Mapping[str, Cell]:
    return _flat(row.config, row.build)


@functools.lru_cache(maxsize=1024)  # asked for by every column, of the same trials again and again
def _flat(config: TrialConfig, build: Build) -> Mapping[str, Cell]:
    return flatten(config) | dict(map(key_and_text, build))


def _distinct(column: TrialColumn, rows: Sequence[Row]) -> TrialColumn:
    """The column, with values in full where two that differ would read alike."""
    values = {value for row in rows if (value := column.value(row)) is not None}
    alike = len({column.text(value) for value in values}) < len(values)
    return dataclasses.replace(column, text=str) if alike else column
