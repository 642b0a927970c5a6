"""What a finished trial did on each image of the test split: what tables, verdicts and figures stand on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from epropnp.data.schema import ObjectModel
from epropnp.evaluation.calibration import Calibration, calibrate
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.pose_errors import PoseErrors, pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import Estimates, estimates, image_scores
from epropnp.visualization.calibration import coverage_curve


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


def scored(predictions: Predictions, objects: Mapping[int, ObjectModel]) -> ImageScores:
    """Score the predictions of a trial. UserError where an object is not among `objects`."""
    errors = pose_errors(predictions, objects)
    return ImageScores(
        sample_id=predictions.sample_id,
        object_id=predictions.object_id,
        values=image_scores(errors),
        errors=errors,
        T_true=predictions.T_true,
        names={number: objects[number].name for number in set(predictions.object_id.tolist())},
        coverage=_coverage(calibrate(predictions, objects)),
    )


def _coverage(found: Calibration) -> Array | None:
    """By samples where there are some, else by the covariance."""
    level = found.level_covariance if found.level_sampled is None else found.level_sampled
    return coverage_curve(level) if len(level) else None
