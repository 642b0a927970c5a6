"""What a sweep leaves behind, on disk and in MLflow: the answer, the table, the curves, the predictions."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.calibration import calibrate
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import estimates, image_scores
from epropnp.evaluation.table import to_csv, to_markdown, to_rich
from epropnp.visualization.calibration import save_calibration
from epropnp.visualization.comparison import Curves, save_comparison, save_curves
from epropnp.visualization.prediction import prediction_sheet, save_png
from sweeps.folder import Sweep
from sweeps.results.summary import (
    SELECTION,
    ImageScores,
    Summary,
    answer_table,
    summarise,
    summary_page,
    summary_table,
)
from sweeps.results.tables import Row, trial_table
from sweeps.tracking.tracker import Tracker
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE

PICTURE_FILE, CALIBRATION_FILE = "predictions.png", "calibration.png"
FILES = (RESULT_FILE, PREDICTIONS_FILE, PICTURE_FILE, CALIBRATION_FILE)  # of a trial, for MLflow


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


def report(sweep: Sweep, rows: Sequence[Row], dataset: ArrowDataset, tracker: Tracker) -> Report:
    """Score the trials, write the files of a sweep and hand them to MLflow.

    Args:
        sweep: its name, and where its files and those of its trials lie.
        rows: one per trial, finished or failed, without scores.
        dataset: that the trials were tested on.
        tracker: connected to MLflow, or spooling.

    Raises:
        UserError: a trial's predictions cannot be read, or are of other images than the rest.
    """
    images: dict[str, ImageScores] = {}
    for row in rows:
        if row.result is None:
            tracker.finish(row.name, "FAILED", row.failure or "")
        else:
            images[row.name] = _report_trial(row, sweep.trial_folder(row.name), dataset, tracker)
    rows = [_scored(row, images[row.name]) if row.name in images else row for row in rows]
    summary = summarise(rows, images) if images else None
    title = f"Sweep {sweep.name}"
    files = _write(sweep.folder, title, rows, summary)
    tracker.log_files("", files)
    tracker.finish("", "FINISHED" if len(images) == len(rows) else "FAILED")
    return Report(title=title, rows=rows, summary=summary, files=files)


def show(report: Report, console: Console) -> None:
    """Print the table, the answer, and where everything lies."""
    console.print(to_rich(trial_table(report.rows, report.title), console.width))
    if report.summary is not None:
        console.print(to_rich(answer_table(report.summary), console.width))
    for file in report.files:
        console.print(f"{file.name}: {file}", soft_wrap=True)


def _report_trial(row: Row, folder: Path, dataset: ArrowDataset, tracker: Tracker) -> ImageScores:
    """Draw a finished trial's pictures, hand its files to MLflow, and score its images."""
    assert row.result is not None
    try:
        predictions = Predictions.read(folder / PREDICTIONS_FILE)
    except UserError as error:
        advice = f"delete {folder / RESULT_FILE} and --resume, which only repeats the trial's test"
        raise UserError(f"{error}; {advice}") from error
    save_png(folder / PICTURE_FILE, prediction_sheet(predictions, dataset))
    save_calibration(calibrate(predictions, dataset.objects), folder / CALIBRATION_FILE)
    scores = {f"test/{key}": value for key, value in row.result.test.items()}
    tracker.log_scores(row.name, row.result.epochs, scores)
    tracker.log_files(row.name, [folder / file for file in FILES])
    tracker.finish(row.name, "FINISHED")
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
