"""The pictures of a test: predicted poses on its images, and how sure the network was beside how right."""

from pathlib import Path

from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.calibration import calibrate
from epropnp.evaluation.pose_errors import PoseErrors
from epropnp.evaluation.predictions import Predictions
from epropnp.visualization.calibration import save_calibration
from epropnp.visualization.prediction import prediction_sheet, save_png

PICTURE_FILE, CALIBRATION_FILE = "predictions.png", "calibration.png"


def draw_tested(predictions: Predictions, errors: PoseErrors, dataset: ArrowDataset, folder: Path) -> None:
    """Draw them into a folder.

    Args:
        predictions: of the test split of `dataset`.
        errors: of the predictions.
        dataset: has the images.
        folder: receives `predictions.png` and `calibration.png`.

    Raises:
        UserError: the predictions are not of this dataset; a file cannot be written.
    """
    save_png(folder / PICTURE_FILE, prediction_sheet(predictions, errors, dataset))
    save_calibration(calibrate(predictions, dataset.objects), folder / CALIBRATION_FILE)
