"""Does the predicted uncertainty say how wrong the poses are?

A credible region of level p is the smallest set of poses that holds the probability p; a calibrated
posterior's regions contain the truth in p of the images. The posterior is known twice: by importance samples,
and by its covariance alone, as a normal or t distribution in the local coordinates of `epropnp.pnp.space`,
whose squared Mahalanobis distance is distributed as chi-square with 6 degrees of freedom, or as F.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from epropnp.data.schema import ObjectModel
from epropnp.evaluation.metrics import Array, rotation_error_deg
from epropnp.evaluation.predictions import Predictions
from epropnp.inference.temperature import DEGREES_OF_FREEDOM

LEVELS = (0.50, 0.80, 0.95)  # of the credible regions in tables


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Uncertainty beside error for the n images that have both.

    Attributes:
        object_id: (n,).
        level_sampled: level of the smallest credible region that contains the truth, by samples, (n,); None
            where the posteriors were not sampled.
        level_covariance: the same by the covariance, (n,).
        negative_log_likelihood: -log p(truth) by samples, in the measure of `epropnp.pnp.layer`, (n,); or
            None.
        translation_error_m, translation_std_m: distance, and the root of the covariance's trace, (n,).
        rotation_error_deg, rotation_std_deg: the same for the rotation, (n,).
        left_out: images without a valid pose.
    """

    object_id: Array
    level_sampled: Array | None
    level_covariance: Array
    negative_log_likelihood: Array | None
    translation_error_m: Array
    translation_std_m: Array
    rotation_error_deg: Array
    rotation_std_deg: Array
    left_out: int

    def image_values(self) -> dict[str, Array]:
        """What each image counts, (n,); the means are the coverages in percent and the likelihood.

        Keys: `coverage_50`, `coverage_80`, `coverage_95` by samples, and `nll`, where there are samples;
        `coverage_cov_50` and so on by the covariance.
        """
        by_name = {"coverage_": self.level_sampled, "coverage_cov_": self.level_covariance}
        values = {
            f"{name}{100 * level:.0f}": 100.0 * (found <= level)
            for name, found in by_name.items()
            if found is not None
            for level in LEVELS
        }
        if self.negative_log_likelihood is not None:
            values["nll"] = self.negative_log_likelihood
        return values


def calibrate(predictions: Predictions, objects: Mapping[int, ObjectModel]) -> Calibration:
    """Compare uncertainties with errors.

    Of a symmetric object's true poses the closest in rotation counts.
    """
    kept = _has_pose(predictions)
    object_id, T_pred = predictions.object_id[kept], predictions.T_pred[kept]
    covariance = predictions.covariance[kept]
    T_true = _closest_truth(T_pred, predictions.T_true[kept], object_id, objects)
    gap = local_coordinates(T_pred, T_true)
    posterior = predictions.posterior
    return Calibration(
        object_id=object_id,
        level_sampled=None if posterior is None else posterior.credible_level[kept],
        level_covariance=covariance_level(
            squared_mahalanobis(gap, covariance), predictions.temperatures.covariance.tail
        ),
        negative_log_likelihood=None
        if posterior is None
        else (posterior.cost_true + posterior.log_evidence)[kept],
        translation_error_m=np.linalg.norm(gap[:, :3], axis=1),
        translation_std_m=_spread(covariance[:, :3, :3]),
        rotation_error_deg=rotation_error_deg(T_pred[:, :3, :3], T_true[:, :3, :3]),
        rotation_std_deg=np.degrees(_spread(covariance[:, 3:, 3:])),
        left_out=int((~kept).sum()),
    )


def squared_distances(predictions: Predictions, objects: Mapping[int, ObjectModel]) -> Array:
    """Squared Mahalanobis distances (n,) of the closest true poses, for the n images with a valid pose."""
    kept = _has_pose(predictions)
    T_pred, object_id = predictions.T_pred[kept], predictions.object_id[kept]
    T_true = _closest_truth(T_pred, predictions.T_true[kept], object_id, objects)
    return squared_mahalanobis(local_coordinates(T_pred, T_true), predictions.covariance[kept])


def local_coordinates(T_from: Array, T_to: Array) -> Array:
    """[dt (m), omega (rad)] (n, 6) that take poses `T_from` to `T_to` (n, 4, 4): the inverse of `retract`.

    `omega = 2 tan(angle / 2) axis`, infinite for half a turn.
    """
    turn = T_to[:, :3, :3] @ T_from[:, :3, :3].transpose(0, 2, 1)
    skew = turn - turn.transpose(0, 2, 1)  # 2 sin(angle) [axis]x
    sine = np.stack([skew[:, 2, 1], skew[:, 0, 2], skew[:, 1, 0]], axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        omega = 2 * sine / (1 + np.trace(turn, axis1=1, axis2=2))[:, None]
    return np.concatenate([T_to[:, :3, 3] - T_from[:, :3, 3], omega], axis=1)


def squared_mahalanobis(gap: Array, covariance: Array) -> Array:
    """`gap^T covariance^-1 gap` (n,) of gaps (n, d); infinite for a gap that is not finite.

    So it is where the covariance is singular: it excludes all gaps but those of some directions.
    """
    usable = np.isfinite(gap).all(1) & (np.linalg.matrix_rank(covariance, hermitian=True) == gap.shape[1])
    distance = np.full(len(gap), np.inf)
    solved = np.linalg.solve(covariance[usable], gap[usable][..., None])[..., 0]
    distance[usable] = (gap[usable] * solved).sum(1)
    return distance


def covariance_level(squared_distance: Array, tail: float) -> Array:
    """Probability of all poses nearer than a squared Mahalanobis distance (n,).

    `tail` is the reciprocal of the degrees of freedom of a t distribution with the same covariance.
    """
    if tail == 0:
        from scipy.stats import chi2  # half a second, which no training needs

        return np.asarray(chi2.cdf(squared_distance, DEGREES_OF_FREEDOM))
    ratio = squared_distance / (DEGREES_OF_FREEDOM * (1 - 2 * tail))
    from scipy.stats import f

    return np.asarray(f.cdf(ratio, DEGREES_OF_FREEDOM, 1 / tail))


def _has_pose(predictions: Predictions) -> Array:
    numbers = np.concatenate([predictions.T_pred.reshape(-1, 16), predictions.covariance.reshape(-1, 36)], 1)
    return np.asarray(predictions.valid & np.isfinite(numbers).all(1))


def _spread(covariance: Array) -> Array:
    return np.asarray(np.sqrt(np.trace(covariance, axis1=1, axis2=2)))


def _closest_truth(
    T_pred: Array, T_true: Array, object_id: Array, objects: Mapping[int, ObjectModel]
) -> Array:
    """Of the equivalent true poses, those (n, 4, 4) whose rotation is closest to the prediction's."""
    closest = T_true.copy()
    for key in np.unique(object_id).tolist():
        rows = np.flatnonzero(object_id == key)
        candidates = T_true[rows, None] @ objects[key].symmetries  # (m, s, 4, 4)
        overlap = np.einsum("mij,msij->ms", T_pred[rows, :3, :3], candidates[..., :3, :3])
        closest[rows] = candidates[np.arange(len(rows)), overlap.argmax(1)]
    return closest
