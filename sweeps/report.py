"""What a sweep leaves behind: the table, the curves and the predictions' pictures, on disk and in MLflow."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from epropnp.data.format import ArrowDataset
from epropnp.evaluation.calibration import calibrate
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.calibration import save_calibration
from epropnp.visualization.comparison import Curves, save_curves
from epropnp.visualization.prediction import prediction_sheet, save_png
from sweeps.tables import Row, table_csv, table_markdown, table_rich
from sweeps.tracking import Tracker
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE

if TYPE_CHECKING:  # that module runs this one
    from sweeps.backbones import Sweep

PICTURE_FILE, CALIBRATION_FILE = "predictions.png", "calibration.png"
FILES = (RESULT_FILE, PREDICTIONS_FILE, PICTURE_FILE, CALIBRATION_FILE)  # of a trial, for MLflow


def report(sweep: "Sweep", rows: Sequence[Row], dataset: ArrowDataset, tracker: Tracker) -> list[Path]:
    """Write the files of a sweep and hand them to MLflow.

    Args:
        sweep: its name, and where its files and those of its trials lie.
        rows: one per trial, finished or failed.
        dataset: that the trials were tested on.
        tracker: connected to MLflow, or spooling.

    Returns:
        The files of the sweep as a whole, the table first.
    """
    files = [sweep.folder / "table.md", sweep.folder / "table.csv"]
    files[0].write_text(table_markdown(rows, f"Sweep {sweep.name}"))
    files[1].write_text(table_csv(rows))
    curves = {}
    for row in rows:
        if row.result is None:
            tracker.finish(row.name, "FAILED", row.failure or "")
            continue
        curves[row.name] = Curves(loss=row.result.train_loss, accuracy=row.result.val_add)
        scores = {f"test/{key}": value for key, value in row.result.test.items()}
        tracker.log_scores(row.name, row.result.epochs, scores)
        trial = sweep.trial_folder(row.name)
        predictions = Predictions.read(trial / PREDICTIONS_FILE)
        save_png(trial / PICTURE_FILE, prediction_sheet(predictions, dataset))
        save_calibration(calibrate(predictions, dataset.objects), trial / CALIBRATION_FILE)
        tracker.log_files(row.name, [trial / file for file in FILES])
        tracker.finish(row.name, "FINISHED")
    if curves:
        files.append(sweep.folder / "curves.png")
        save_curves(curves, files[-1])
    tracker.log_files("", files)
    tracker.finish("", "FINISHED" if all(row.result for row in rows) else "FAILED")
    return files


def show(name: str, rows: Sequence[Row], files: Sequence[Path], console: Console) -> None:
    """Print the table and where everything lies."""
    console.print(table_rich(rows, f"Sweep {name}"))
    for file in files:
        console.print(f"{file.stem}: {file}", soft_wrap=True)
