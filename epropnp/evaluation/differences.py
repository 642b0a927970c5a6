"""How far settings are behind the best one, with intervals that hold for all of them together.

The model is that of `mean_interval`: x_si = mu + a_s + b_i + e_si. The difference of two settings is taken
image by image: an image that is hard for both cancels. Its squared standard error is

    V = max(V_I - V_E, 0) + V_S

V_I  of the mean over images of the paired differences, over other images of the same objects (ddof 1).
V_E  of the rest e in it, of both settings: V_S holds it already.
V_S  = v_1 / S_1 + v_2 / S_2. Two or three seeds know little of their own spread, so there is ONE variance
     between seeds, pooled over all K settings; one that spreads more keeps its own, and one with a single
     seed takes the pooled one. With Q_k the sum of squares of the seeds of a setting around their mean, it is
     known with (sum of Q_k)^2 / sum of (Q_k^2 / (S_k + 1)) degrees of freedom, or sum of (S_k - 1) if that
     is less: by Satterthwaite, for settings that spread unequally (E Q^2 = (S^2 - 1) sigma^4). With one seed
     everywhere there is none, and the intervals are about these trained networks.

Degrees of freedom d of V are Welch's and Satterthwaite's. An interval reaches c(K, d) sqrt(V) to each side,
with c the 95 % point of the studentised range of K means over sqrt(2) (Tukey-Kramer; `studentised_range`):
the best setting was picked from the same table, so all pairs of it must hold at once.

That a difference is less than a margin X is shown by two one-sided tests (Schuirmann, Journal of
Pharmacokinetics and Biopharmaceutics 15, 1987): the interval of probability 1 - 2 * 5 %, again of all pairs,
lies within -X and X. Where two settings agree on all images V_I is 0, though other images may tell them
apart: of n images that agree, 3 / n may still be expected to differ (the rule of three). For this test four
images more are imagined to differ, two to each side, as in the intervals of Agresti and Coull (The American
Statistician 52, 1998).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.evaluation.by_object import Variance, average, combined, known_variance, sampling_variance
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.studentised_range import critical_values

IMAGINED = 4  # images that differ by 100


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Of a setting to the best, in points.

    Attributes:
        estimate: negative where it scores less; the intervals hold for all settings together.
        least_margin: within which the two could be shown to be equal, were the estimate 0.
        seed_share: part of the squared standard error that seeds make up; the rest is of images.
    """

    estimate: Estimate
    least_margin: float
    seed_share: float


def differences_to_first(
    settings: Sequence[Array], objects: Sequence[Array], level: float
) -> list[Difference]:
    """Compare settings with the first one, which scores best; see the module for the method.

    Args:
        settings: K of what every image counts in each trial, 0 to 100, (S, n); S may differ.
        objects: indices of the images of each.
        level: probability that all intervals hold, and that nothing is called equal that is a margin apart.

    Returns:
        Those of the K - 1 others.
    """
    if len(settings) < 2:
        return []
    images = np.stack([values.mean(axis=0) for values in settings])  # (K, n)
    paired = images[1:] - images[0]
    whole = known_variance(paired, objects)
    rests = np.array([_rest_variance(values, objects) for values in settings])
    rest = rests[0] + rests[1:]
    # Both are infinite where every object has one image; the difference is to stay so.
    of_images = np.maximum(whole.value - np.where(np.isfinite(rest), rest, 0.0), 0.0)
    spreads = _seed_variances([average(values, objects) for values in settings])
    of_seeds = Variance(value=spreads.value[0] + spreads.value[1:], dof=spreads.dof)

    def reach(of_images: Array, level: float) -> Array:
        total = combined([Variance(value=of_images, dof=whole.dof), of_seeds])
        return np.sqrt(total.value) * critical_values(len(settings), total.dof, level)

    total = of_images + of_seeds.value
    columns = (
        average(paired, objects),
        reach(of_images, level),
        reach(of_images + _imagined_variance(objects), 2 * level - 1),
        np.divide(of_seeds.value, total, out=np.zeros(len(paired)), where=total > 0),
    )
    return [
        Difference(estimate=Estimate(value, value - half, value + half), least_margin=least, seed_share=share)
        for value, half, least, share in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _rest_variance(values: Array, objects: Sequence[Array]) -> float:
    """Of e in the mean over the seeds and images of a setting, (S, n); 0 for one seed."""
    others = len(values) - 1
    if not others:
        return 0.0
    # The deviations from the mean of S trials vary by (S - 1) / S of what the trials do.
    return float(sampling_variance(values - values.mean(axis=0), objects).mean()) / others


def _seed_variances(scores: Sequence[Array]) -> Variance:
    """Of the mean over seeds of each setting, from the scores of its trials, (S,) each: (K,)."""
    seeds = np.array([len(each) for each in scores])
    free = seeds - 1
    squares = np.array([each.var() for each in scores]) * seeds
    pooled = squares.sum() / max(free.sum(), 1)
    own = squares / np.maximum(free, 1)
    fourth = (squares**2 / (seeds + 1)).sum()
    dof = np.minimum(squares.sum() ** 2 / fourth, free.sum()) if fourth else max(free.sum(), 1)
    return Variance(value=np.maximum(own, pooled) / seeds, dof=np.asarray(dof))


def _imagined_variance(objects: Sequence[Array]) -> float:
    """Of the average, from IMAGINED images that differ by 100, spread evenly over the objects."""
    weights = np.array([1 / (len(images) * len(objects)) for images in objects])
    return float(IMAGINED * np.mean((100 * weights) ** 2))
