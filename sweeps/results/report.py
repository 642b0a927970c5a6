"""What a sweep leaves behind: the answer, the table, the figures."""

import contextlib
import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from epropnp.command_line import say
from epropnp.data.reader import ArrowDataset
from epropnp.data.visible import visible_shares
from epropnp.errors import UserError, first_line
from epropnp.evaluation.table import Table, print_table
from epropnp.evaluation.table_text import to_csv, to_markdown
from epropnp.evaluation.thresholds import MARGIN
from epropnp.files import replaced
from sweeps.folder import Sweep
from sweeps.results.columns import Row
from sweeps.results.examples import KINDS, save_examples
from sweeps.results.figures import CAPTIONS, FOLDER, figures, save
from sweeps.results.findings import Findings
from sweeps.results.read import by_rank, read_rows
from sweeps.results.report_page import EXAMPLES, PAGE_FILE, write_page
from sweeps.results.summary import SELECTION, Summary, answer_table, summarise, summary_page, summary_table
from sweeps.results.tables import SCORES, trial_table
from sweeps.results.tested import ImageScores, read_tested
from sweeps.running.listener import Listener
from sweeps.search.compared import Compared
from sweeps.search.search import Planned
from sweeps.trial import PREDICTIONS_FILE, Trial

_log = logging.getLogger(__name__)

PAUSE = 20  # times what the last partial report took, until the next one


@dataclass(frozen=True, kw_only=True)
class Report:
    """What there is to say about a sweep.

    Attributes:
        title: of the sweep.
        rows: one per trial, with scores where it finished.
        summary: None where no trial finished, or they cannot be compared.
        files: of the sweep as a whole.
        problems: what could not be compared, written or drawn, in a line each.
        found: by what asked for the trials, on validation images.
        waiting: why nothing is compared yet.
        compared: the rows that the summary compares.
        images: what their trials did on each test image, by name.
    """

    title: str
    rows: Sequence[Row]
    summary: Summary | None
    files: Sequence[Path] = ()
    problems: Sequence[str] = field(default_factory=list)
    found: Sequence[Table] = ()
    waiting: Sequence[str] = ()
    compared: Sequence[Row] = ()
    images: Mapping[str, ImageScores] = field(default_factory=dict)


class Reporter(Listener):
    """Scores the trials of a sweep and writes its files, at its end and, as a listener, while it runs.

    Args:
        sweep: its name, and where its files and those of its trials lie.
        planned: its trials in their order, as far as they are known; others of its folder, of an earlier
            plan, come after them.
        datasets: by id, those that the trials were trained and tested on.
        margin: points of a score within which settings are called equal, if that can be shown.
        compared: tells which trials the summary compares; None: all. The table lists all.
    """

    def __init__(
        self,
        sweep: Sweep,
        planned: Sequence[Planned],
        datasets: Mapping[str, ArrowDataset],
        margin: float = MARGIN,
        compared: Callable[[], Compared] | None = None,
    ) -> None:
        self.datasets, self._compared = datasets, compared
        self._sweep, self._planned, self._margin = sweep, list(planned), margin
        self._known: dict[str, tuple[int, ImageScores]] = {}  # by name; when the predictions were written
        self._next_s = 0.0
        self._due = False
        self._writing: threading.Thread | None = None

    def report(
        self,
        more: Mapping[str, Callable[[Path], None]] | None = None,
        found: Sequence[Table] = (),
        draw: bool = True,
    ) -> Report:
        """Tables first, then pictures; what cannot be read, written or drawn costs nothing else.

        Args:
            more: names of other files, and what makes them.
            found: tables of what asked for the trials.
            draw: figures, test images and the page; else those of an earlier answer go.
        """
        self.settle()
        report = dataclasses.replace(self._written(self._scored(self._chosen())), found=found)
        if report.summary is not None and draw:
            report = self._drawn(report, report.summary)
        elif not draw:
            self._remove_drawn()
        return _made(report, {self._sweep.folder / name: make for name, make in (more or {}).items()})

    def asked(self, trial: Planned) -> None:
        """There is one more, if a search has drawn it just now."""
        if trial.name not in {each.name for each in self._planned}:
            self._planned.append(trial)

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        """An epoch ended: time for a table that was put off."""
        self._partial()

    def ended(self, trial: Trial) -> None:
        """Write the table with this trial in it; in a while, where one was written just now."""
        self._due = True
        self._partial()

    def settle(self) -> None:
        """Wait until a table that is being written is there."""
        if self._writing is not None:
            self._writing.join()

    def _partial(self) -> None:
        """Write the table, if it is due, without letting trials wait for it."""
        busy = self._writing is not None and self._writing.is_alive()
        if self._due and not busy and time.monotonic() >= self._next_s:
            self._due = False
            chosen = self._chosen()  # not in the thread, where a search might be asked while it is told
            self._writing = threading.Thread(
                target=self._write_partial, args=(chosen,), name="report", daemon=True
            )
            self._writing.start()

    def _chosen(self) -> Compared | None:
        return None if self._compared is None else self._compared()

    def _write_partial(self, chosen: Compared | None) -> None:
        began_s = time.monotonic()
        try:
            self._written(self._scored(chosen))
        except Exception:  # the one at the end says what is wrong
            _log.exception("the table could not be written")
        now_s = time.monotonic()
        self._next_s = now_s + PAUSE * (now_s - began_s)

    def _scored(self, chosen: Compared | None) -> Report:
        rows, images, problems = [], {}, []
        for row in read_rows(self._sweep, self._planned):
            try:
                if row.result is not None:
                    images[row.name] = self._images(row)
                    row = dataclasses.replace(row, scores=images[row.name].average)
            except UserError as error:
                row = dataclasses.replace(row, status="failed", reason=first_line(error), result=None)
            rows.append(row)
        rows = by_rank(rows)
        summary = None
        compared: Sequence[Row] = rows
        notes: Sequence[str] = ()
        if chosen is not None:
            compared, notes = [row for row in rows if row.name in chosen.names], chosen.notes
            images = {row.name: images[row.name] for row in compared if row.name in images}
        try:
            summary = summarise(compared, images, self._margin) if images else None
        except UserError as error:
            problems.append(str(error))
        if summary is not None:
            summary = dataclasses.replace(summary, notes=[*notes, *summary.notes])
        title, waiting = f"Sweep {self._sweep.name}", () if images else tuple(notes)
        return Report(
            title=title,
            rows=rows,
            summary=summary,
            problems=problems,
            waiting=waiting,
            compared=compared,
            images=images,
        )

    def _images(self, row: Row) -> ImageScores:
        """What each image of the test split scored in a finished trial. UserError where it cannot be read."""
        folder = self._sweep.trial_folder(row.name)
        file = folder / PREDICTIONS_FILE
        written = file.stat().st_mtime_ns if file.is_file() else 0
        if self._known.get(row.name, (0,))[0] != written or not written:
            self._known[row.name] = written, read_tested(folder, self.datasets[row.dataset_id].objects)
        return self._known[row.name][1]

    def _written(self, report: Report) -> Report:
        """Write tables and summary."""
        folder, summary = self._sweep.folder, report.summary
        table = trial_table(report.rows, report.title)
        makers = {"table.md": lambda: to_markdown(table), "table.csv": lambda: to_csv(table)}
        if summary is not None:
            makers["summary.md"] = lambda: summary_page(summary, report.title)
            makers["summary.csv"] = lambda: to_csv(summary_table(summary))
        elif report.waiting:  # an earlier answer is none any more
            makers["summary.md"] = lambda: "\n\n".join([f"# {report.title}", *report.waiting, ""])
            _remove(folder, ("summary.csv",))
            self._remove_drawn()
        return _made(report, {folder / name: partial(_write, make) for name, make in makers.items()})

    def _remove_drawn(self) -> None:
        """What was drawn of an earlier answer."""
        _remove(self._sweep.folder, ("summary.png", PAGE_FILE))
        _remove(self._sweep.folder / EXAMPLES, [f"{kind}.png" for kind in KINDS])
        self._remove_figures(CAPTIONS)

    def _remove_figures(self, keys: Iterable[str]) -> None:
        _remove(self._sweep.folder / FOLDER, [f"{key}.{kind}" for key in keys for kind in ("png", "pdf")])

    def _drawn(self, report: Report, summary: Summary) -> Report:
        """Draw the figures; the first of them as `summary.png`, too."""
        folder = self._sweep.folder
        stopped = [row for row in report.rows if row.status == "stopped"]
        found = figures(summary, report.images, stopped, partial(visible_shares, self.datasets.values()))
        self._remove_figures(CAPTIONS.keys() - found.keys())  # of an earlier answer
        makers: dict[Path, Callable[[Path], None]] = {
            folder / FOLDER / f"{key}.png": partial(save, draw) for key, draw in found.items()
        }
        makers[folder / EXAMPLES] = partial(
            save_examples, self._sweep.trial_folder, summary, self._images, self.datasets
        )
        makers[folder / "summary.png"] = partial(_copy, folder / FOLDER / "differences.png")
        makers[folder / PAGE_FILE] = partial(self._write_page, report)
        return _made(report, makers)

    def _write_page(self, report: Report, file: Path) -> None:
        """With every score compared, which tables of a running sweep go without."""
        summary = summarise(report.compared, report.images, self._margin, tuple(SCORES))
        found = Findings(title=report.title, rows=report.rows, summary=summary, images=report.images)
        write_page(found, [self._sweep], file)


def show(report: Report, console: Console) -> None:
    """Print the trials, the best settings first, the answer, where everything lies, and what went wrong."""
    places = {file.name: file for file in report.files}
    print_table(trial_table(_ranked(report), report.title), console, whole=places.get("table.md"))
    if report.summary is not None:
        print_table(answer_table(report.summary), console, whole=places.get("summary.md"))
    for table in report.found:
        print_table(table, console)
    drawn = [file for file in report.files if file.parent.name == FOLDER]
    lines = [f"{file.name}: {file}" for file in report.files if file not in drawn]
    if drawn:
        lines.append(f"{len(drawn)} figures, as PNG and PDF: {drawn[0].parent}")
    for line in (*report.waiting, *lines, *report.problems):
        say(console, line)


def _ranked(report: Report) -> list[Row]:
    """Rows of the best settings first: of many trials a terminal shows the first ones."""
    if report.summary is None:
        return list(report.rows)
    order = [setting.name for setting in report.summary.ranked[SELECTION].settings]
    rank = {row.name: order.index(name) for name in order for row in report.summary.settings[name]}
    return by_rank(sorted(report.rows, key=lambda row: rank.get(row.name, len(order))))


def _write(text: Callable[[], str], file: Path) -> None:
    with replaced(file) as unfinished:
        unfinished.write_text(text())


def _copy(source: Path, file: Path) -> None:
    with replaced(file) as unfinished:
        unfinished.write_bytes(source.read_bytes())


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        with contextlib.suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def _made(report: Report, makers: Mapping[Path, Callable[[Path], None]]) -> Report:
    """The report with these files, as far as they can be made."""
    files, problems = list(report.files), list(report.problems)
    for file, make in makers.items():
        try:
            make(file)
            files.append(file)
        except Exception as error:  # a full disk, or a picture that fails: the table is shown all the same
            problems.append(f"{file.name} is not made: {first_line(error)}")
    return dataclasses.replace(report, files=files, problems=problems)
