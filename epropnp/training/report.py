"""What a single training says at its end, and the pictures that it leaves beside its results."""

from pathlib import Path

from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.score_table import score_table, table_columns
from epropnp.evaluation.scores import estimates, image_scores
from epropnp.evaluation.table import Table
from epropnp.training.frame_files import ANIMATION
from epropnp.training.result import TrialResult
from epropnp.visualization.canvas import save_figure
from epropnp.visualization.curves import Curves, draw_curves
from epropnp.visualization.palette import Palette
from epropnp.visualization.tested import CALIBRATION_FILE, PICTURE_FILE, draw_tested

PREDICTIONS_FILE, CURVES_FILE = "predictions.parquet", "curves.png"
SHOWN = ("add_0.02d", "add_0.05d", "add_0.10d", "add_area", "2deg2cm", "5deg5cm", "proj_5px")


def scores_of_test(folder: Path) -> Table:
    """The scores of the test, of each object and on average, with their 95 % intervals."""
    predictions = Predictions.read(folder / PREDICTIONS_FILE)
    values = image_scores(errors_beside(predictions, predictions.objects, folder / PREDICTIONS_FILE))
    names = {key: model.name for key, model in predictions.objects.items()}
    columns = table_columns(estimates(values, predictions.object_id), names)
    return score_table({title: {key: cells[key] for key in SHOWN} for title, cells in columns.items()})


def draw_training(result: TrialResult, dataset: ArrowDataset, folder: Path) -> list[Path]:
    """Draw the test and the course of a training into its folder; returns the pictures that lie there.

    UserError where a file cannot be written.
    """
    predictions = Predictions.read(folder / PREDICTIONS_FILE)
    errors = errors_beside(predictions, dataset.objects, folder / PREDICTIONS_FILE)
    draw_tested(predictions, errors, dataset, folder)
    name = f"{result.backbone} + {result.head}"
    curves = Curves(loss=result.train_loss, accuracy=result.val_add)
    save_figure(draw_curves({name: [curves]}, Palette([name])), [folder / CURVES_FILE])
    files = [folder / name for name in (PICTURE_FILE, CALIBRATION_FILE, CURVES_FILE, ANIMATION)]
    return [file for file in files if file.is_file()]
