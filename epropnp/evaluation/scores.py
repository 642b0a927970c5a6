"""From predictions to the numbers of the tables: percentages per object, then averaged over objects.

Every score is the mean of something that each image counts, from 0 to 100; its confidence interval is the
percentile bootstrap's (Efron and Tibshirani, 1993, chapter 13).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from epropnp.data.schema import ObjectModel
from epropnp.evaluation import metrics
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.pose_errors import PoseErrors, pose_errors
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.thresholds import Thresholds

AREA_LIMIT_D = 0.1  # of the report's area, in diameters
AUC_LIMIT_M = 0.1  # of PoseCNN's area under the ADD(-S) curve
MSSD_THRESHOLDS_D = np.arange(1, 11) * 0.05  # BOP
MSPD_THRESHOLDS_PX = np.arange(1, 11) * 5.0  # BOP, in an image 640 px wide
BLOCK = 100  # resamples at once, so that (resamples, images) stays small

Scores = dict[str, float]


@dataclass(frozen=True)
class Estimates:
    """Estimates by score: averaged over objects, and of every object by its id."""

    average: dict[str, Estimate]
    per_object: dict[int, dict[str, Estimate]]


STANDARD = Thresholds()


def score(predictions: Predictions, objects: Mapping[int, ObjectModel], threads: int = -1) -> Scores:
    """Scores in percent, averaged over the objects that occur; `image_scores` lists them.

    `threads`: of `pose_errors`.
    """
    return mean_scores(pose_errors(predictions, objects, threads))


def mean_scores(errors: PoseErrors, thresholds: Thresholds = STANDARD) -> Scores:
    """The scores of `score`, of predictions with these errors."""
    groups = [errors.object_id == object_id for object_id in np.unique(errors.object_id)]
    values = image_scores(errors, thresholds)
    return {key: float(np.mean([row[group].mean() for group in groups])) for key, row in values.items()}


def image_scores(errors: PoseErrors, thresholds: Thresholds = STANDARD) -> dict[str, Array]:
    """What each image counts for each score, 0 to 100, (n,).

    Keys: `add_0.02d`, `add_0.05d`, `add_0.10d` (ADD, or ADI for symmetric objects); `add_mean3`, the mean of
    these three (the official README's "Mean"); `add_area`, the area under the curve up to 0.1 d (the report's
    "Mean"); `add_auc_10cm`, the area up to 10 cm (PoseCNN's AUC); `2deg2cm`, `5deg5cm`, `10deg10cm`;
    `degcm_mean_1_10`; `proj_2px` to `proj_20px`; `mssd_ar`, `mspd_ar`, the average recalls of BOP.
    """
    relative = errors.add_m / errors.diameter_m
    adds = {f"add_{_diameters(t)}d": metrics.below(relative, t) for t in thresholds.add}
    counts = [metrics.below_degcm(errors.angle_deg, errors.shift_m, n) for n in range(1, 11)]
    return {
        **adds,
        f"add_mean{len(adds)}": np.mean(list(adds.values()), axis=0),
        "add_area": metrics.simpson_area(relative, AREA_LIMIT_D),
        "add_auc_10cm": metrics.exact_area(errors.add_m, AUC_LIMIT_M),
        **{
            f"{n:g}deg{n:g}cm": metrics.below_degcm(errors.angle_deg, errors.shift_m, n)
            for n in thresholds.degcm
        },
        "degcm_mean_1_10": np.mean(counts, axis=0),
        **{f"proj_{p:g}px": metrics.below(errors.projection_px, p) for p in thresholds.px},
        "mssd_ar": metrics.mean_recall(errors.mssd_m / errors.diameter_m, MSSD_THRESHOLDS_D),
        "mspd_ar": metrics.mean_recall(errors.mspd_px, MSPD_THRESHOLDS_PX),
    }


def best_of_hypotheses(
    predictions: Predictions, objects: Mapping[int, ObjectModel], thresholds: Thresholds = STANDARD
) -> dict[str, Array]:
    """What each image counts for `best_of_K_add_0.10d` and so on, if its pose of least ADD(-S) were known.

    Empty where predictions hold one pose per image.
    """
    if predictions.T_hypotheses is None:
        return {}
    each = predictions.T_hypotheses.swapaxes(0, 1)  # (K, n, 4, 4)
    errors = [pose_errors(replace(predictions, T_pred=T_pred), objects) for T_pred in each]
    relative = np.fmin.reduce([found.add_m / found.diameter_m for found in errors])  # NaN is the worst
    return {f"best_of_{len(each)}_add_{_diameters(t)}d": metrics.below(relative, t) for t in thresholds.add}


def estimates(
    values: Mapping[str, Array],
    object_id: Array,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Estimates:
    """Means of what images count, with percentile bootstrap intervals.

    Images are drawn with replacement within each object, as many as it has; all scores share the draws. Where
    all images count the same, the interval has no width.

    Args:
        values: by score, (n,).
        object_id: of each image, (n,).
        resamples: number of draws.
        level: probability of the interval.
        seed: of the draws.
    """
    table = np.stack(list(values.values()), axis=1)  # (n, M)
    rng = np.random.default_rng(seed)
    ids = np.unique(object_id).tolist()
    means, drawn = {}, {}
    for key in ids:
        rows = table[object_id == key]
        means[key], drawn[key] = rows.mean(0), resampled_means(rows, resamples, rng)
    bounds = [(1 - level) / 2, (1 + level) / 2]

    def cells(value: Array, draws: Array) -> dict[str, Estimate]:
        low, high = np.quantile(draws, bounds, axis=0)  # (M,) each
        return {key: Estimate(*map(float, cell)) for key, *cell in zip(values, value, low, high, strict=True)}

    return Estimates(
        average=cells(np.mean(list(means.values()), axis=0), np.mean(list(drawn.values()), axis=0)),
        per_object={key: cells(means[key], drawn[key]) for key in ids},
    )


def resampled_means(rows: Array, resamples: int, rng: np.random.Generator) -> Array:
    """Means (resamples, M) of rows (m, M), drawn m at a time with replacement."""
    m = len(rows)
    means = []
    for start in range(0, resamples, BLOCK):
        block = min(BLOCK, resamples - start)
        picks = rng.integers(m, size=(block, m)) + m * np.arange(block)[:, None]
        often = np.bincount(picks.ravel(), minlength=block * m).reshape(block, m)
        means.append(often.astype(np.float64) @ rows / m)
    return np.concatenate(means)


def _diameters(threshold: float) -> str:
    return f"{threshold:.2f}" if round(threshold, 2) == threshold else f"{threshold:g}"
