"""The pictures of one trial of a sweep, drawn from its folder."""

from pathlib import Path

from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.tested import CALIBRATION_FILE, PICTURE_FILE, draw_tested
from sweeps.program import go_on_with_trial
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE


def draw(folder: Path, dataset: ArrowDataset) -> None:
    """Draw them into the folder of a finished trial. UserError where its predictions cannot be read."""
    predictions = read_predictions(folder)
    errors = errors_beside(predictions, dataset.objects, folder / PREDICTIONS_FILE)
    draw_tested(predictions, errors, dataset, folder)


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
