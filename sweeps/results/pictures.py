"""The pictures of one trial: predicted poses on test images, and how sure it was beside how right it was."""

from pathlib import Path

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.calibration import calibrate
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.calibration import save_calibration
from epropnp.visualization.prediction import prediction_sheet, save_png
from sweeps.program import go_on_with_trial
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE

PICTURE_FILE, CALIBRATION_FILE = "predictions.png", "calibration.png"


def draw(folder: Path, dataset: ArrowDataset) -> None:
    """Draw them into the folder of a finished trial. UserError where its predictions cannot be read."""
    predictions = read_predictions(folder)
    save_png(folder / PICTURE_FILE, prediction_sheet(predictions, dataset))
    save_calibration(calibrate(predictions, dataset.objects), folder / CALIBRATION_FILE)


def draw_missing(folder: Path, dataset: ArrowDataset) -> None:
    """The same, unless there are pictures of these predictions. UserError as above."""
    predictions = (folder / PREDICTIONS_FILE).stat().st_mtime if (folder / PREDICTIONS_FILE).is_file() else 0
    pictures = [folder / name for name in (PICTURE_FILE, CALIBRATION_FILE)]
    if not all(file.is_file() and file.stat().st_mtime >= predictions for file in pictures):
        draw(folder, dataset)


def read_predictions(folder: Path) -> Predictions:
    """Those of a finished trial. UserError, with an advice, where they cannot be read."""
    try:
        return Predictions.read(folder / PREDICTIONS_FILE)
    except UserError as error:
        remove = f"remove {folder / RESULT_FILE} to have its test repeated with its best.pt"
        raise UserError(f"{error}; {remove}: {go_on_with_trial(folder)}") from error
