"""What a finished trial did on each image of the test split: what tables, verdicts and figures stand on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from epropnp.data.schema import ObjectModel
from epropnp.evaluation.calibration import Calibration, calibrate
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.pose_errors import PoseErrors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import Estimates, estimates, image_scores
from epropnp.visualization.calibration import coverage_curve
from sweeps.results.pictures import read_predictions
from sweeps.trial import PREDICTIONS_FILE


@dataclass(frozen=True, kw_only=True)
class ImageScores:
    """Errors and scores of the images of the test split in one trial.

    Attributes:
        sample_id: n names.
        object_id: (n,).
        values: by key of `image_scores`, 0 to 100, (n,).
        errors: of the poses.
        T_true: where the objects were, metres, (n, 4, 4).
        names: of the objects, by id.
        coverage: share of the truths within the credible regions of 0, 1, ... 100 %, (101,); None where
            no covariance is known.
    """

    sample_id: list[str]
    object_id: Array
    values: Mapping[str, Array]
    errors: PoseErrors
    T_true: Array
    names: Mapping[int, str]
    coverage: Array | None = None

    @cached_property
    def found(self) -> Estimates:
        """Scores with their intervals; drawn once, for tables are written often."""
        return estimates(self.values, self.object_id)

    @property
    def average(self) -> Mapping[str, Estimate]:
        """Of all objects, each of which counts alike."""
        return self.found.average


def read_tested(folder: Path, objects: Mapping[int, ObjectModel] | None = None) -> ImageScores:
    """Of a finished trial. UserError, with an advice, where its predictions cannot be read.

    Args:
        folder: of the trial.
        objects: of its dataset; default: those in the file of its predictions, which older ones lack.
    """
    predictions = read_predictions(folder)
    known = predictions.objects if objects is None else objects
    errors = errors_beside(predictions, known, folder / PREDICTIONS_FILE)
    return scored(predictions, errors, known)


def scored(predictions: Predictions, errors: PoseErrors, objects: Mapping[int, ObjectModel]) -> ImageScores:
    """What predictions of these objects with these errors score."""
    return ImageScores(
        sample_id=predictions.sample_id,
        object_id=predictions.object_id,
        values=image_scores(errors),
        errors=errors,
        T_true=predictions.T_true,
        names={number: objects[number].name for number in sorted(set(predictions.object_id.tolist()))},
        coverage=_coverage(calibrate(predictions, objects)),
    )


def _coverage(found: Calibration) -> Array | None:
    """By samples where there are some, else by the covariance."""
    level = found.level_covariance if found.level_sampled is None else found.level_sampled
    return coverage_curve(level) if len(level) else None
