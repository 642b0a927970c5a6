"""What a finished trial did on each image of the test split: what tables, verdicts and figures stand on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from epropnp.data.schema import ObjectModel
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.pose_errors import PoseErrors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import Estimates, estimates, image_scores
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
    """

    sample_id: list[str]
    object_id: Array
    values: Mapping[str, Array]
    errors: PoseErrors
    T_true: Array
    names: Mapping[int, str]

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
    return scored(predictions, errors, {number: model.name for number, model in known.items()})


def scored(predictions: Predictions, errors: PoseErrors, names: Mapping[int, str]) -> ImageScores:
    """What predictions with these errors score; the objects' names by id."""
    return ImageScores(
        sample_id=predictions.sample_id,
        object_id=predictions.object_id,
        values=image_scores(errors),
        errors=errors,
        T_true=predictions.T_true,
        names={number: names[number] for number in sorted(set(predictions.object_id.tolist()))},
    )
