"""What a sweep leaves behind: the answer, the table, the curves."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.scores import estimates, image_scores
from epropnp.evaluation.table import to_csv, to_markdown, to_rich
from epropnp.evaluation.thresholds import MARGIN
from epropnp.visualization.comparison import Curves, save_comparison, save_curves
from sweeps.folder import Sweep
from sweeps.results.columns import Row
from sweeps.results.pictures import read_predictions
from sweeps.results.read import read_rows
from sweeps.results.summary import (
    SELECTION,
    ImageScores,
    Summary,
    answer_table,
    summarise,
    summary_page,
    summary_table,
)
from sweeps.results.tables import trial_table
from sweeps.search.search import Planned


@dataclass(frozen=True, kw_only=True)
class Report:
    """What there is to say about a sweep.

    Attributes:
        title: of the sweep.
        rows: one per trial, with scores where it finished.
        summary: None where no trial finished.
        files: of the sweep as a whole.
    """

    title: str
    rows: Sequence[Row]
    summary: Summary | None
    files: Sequence[Path]


def report(
    sweep: Sweep,
    planned: Sequence[Planned],
    datasets: Mapping[str, ArrowDataset],
    margin: float = MARGIN,
) -> Report:
    """Score the trials and write the files of a sweep.

    Args:
        sweep: its name, and where its files and those of its trials lie.
        planned: its trials in their order; others of its folder, of an earlier plan, come after them.
        datasets: by id, those that the trials were trained and tested on.
        margin: points of a score within which settings are called equal, if that can be shown.

    Raises:
        UserError: a trial's predictions cannot be read, or are of other images than the rest.
    """
    rows = read_rows(sweep, planned)
    finished = [row for row in rows if row.result is not None]
    images = {row.name: _images(sweep.trial_folder(row.name), datasets[row.dataset_id]) for row in finished}
    rows = [_scored(row, images[row.name]) if row.name in images else row for row in rows]
    summary = summarise(rows, images, margin) if images else None
    title = f"Sweep {sweep.name}"
    return Report(title=title, rows=rows, summary=summary, files=_write(sweep.folder, title, rows, summary))


def show(report: Report, console: Console) -> None:
    """Print the table, the answer, and where everything lies."""
    console.print(to_rich(trial_table(report.rows, report.title), console.width))
    if report.summary is not None:
        console.print(to_rich(answer_table(report.summary), console.width))
    for file in report.files:
        console.print(f"{file.name}: {file}", soft_wrap=True, markup=False)


def _images(folder: Path, dataset: ArrowDataset) -> ImageScores:
    """What each image of the test split scored in a finished trial."""
    predictions = read_predictions(folder)
    values = image_scores(pose_errors(predictions, dataset.objects))
    return ImageScores(sample_id=predictions.sample_id, object_id=predictions.object_id, values=values)


def _scored(row: Row, images: ImageScores) -> Row:
    return dataclasses.replace(row, scores=estimates(images.values, images.object_id).average)


def _write(folder: Path, title: str, rows: Sequence[Row], summary: Summary | None) -> list[Path]:
    table = trial_table(rows, title)
    texts = {"table.md": to_markdown(table), "table.csv": to_csv(table)}
    if summary is not None:
        texts["summary.md"] = summary_page(summary, title)
        texts["summary.csv"] = to_csv(summary_table(summary))
    files = [folder / name for name in texts]
    for file in files:
        file.write_text(texts[file.name])
    if summary is not None:
        files += [folder / "summary.png", folder / "curves.png"]
        save_comparison(summary.ranked[SELECTION], SELECTION, files[-2])
        finished = {row.name: row.result for row in rows if row.result is not None}
        save_curves(
            {name: Curves(loss=r.train_loss, accuracy=r.val_add) for name, r in finished.items()}, files[-1]
        )
    return files
