"""How far settings are behind the best one, with intervals that hold for all of them together.

The model is that of `mean_interval`: x_si = mu + a_s + b_i + e_si. The difference of two settings is taken
image by image: an image that is hard for both cancels. Its squared standard error is

    V = max(V_I - V_E, 0) + V_S

V_I  of the mean over images of the paired differences, over other images of the same objects (ddof 1).
V_E  of the rest e in it, of both settings: V_S holds it already.
V_S  = v_1 / S_1 + v_2 / S_2. Two or three seeds know little of their own spread, so there is ONE variance
     between seeds, pooled over all K settings with sum of (S_k - 1) degrees of freedom; a setting that
     spreads more keeps its own. One with a single seed takes the pooled one. With one seed everywhere there
     is none, and the intervals are about these trained networks.

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

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.evaluation.by_object import Variance, average, combined, known_variance, sampling_variance
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.studentised_range import critical_value

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
        level: probability that all intervals hold; equality errs with half of what is left.

    Returns:
        Those of the K - 1 others.
    """
    spread = _pooled_variance([average(values, objects) for values in settings])
    parts = [_Setting.of(values, objects, spread.value) for values in settings]
    best, *others = parts
    return [_difference(each, best, spread.dof, objects, len(settings), level) for each in others]


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What the trials of a setting say.

    Attributes:
        images: what each image counts, mean over seeds, (n,).
        rest_variance: of e in the mean over seeds and images; 0 for one seed.
        seed_variance: of the mean over seeds.
    """

    images: Array
    rest_variance: float
    seed_variance: float

    @classmethod
    def of(cls, values: Array, objects: Sequence[Array], pooled: float) -> "_Setting":
        images, seeds = values.mean(axis=0), len(values)
        own, rest = 0.0, 0.0
        if seeds > 1:
            own = float(average(values, objects).var(ddof=1))
            # The deviations from the mean of S trials vary by (S - 1) / S of what the trials do.
            rest = float(sampling_variance(values - images, objects).mean()) / (seeds - 1)
        return cls(images=images, rest_variance=rest, seed_variance=max(own, pooled) / seeds)


def _difference(
    setting: _Setting, best: _Setting, seed_dof: float, objects: Sequence[Array], count: int, level: float
) -> Difference:
    paired = setting.images - best.images
    value, found = float(average(paired, objects)), known_variance(paired, objects)
    rest = setting.rest_variance + best.rest_variance
    image_variance = found.value if math.isinf(found.value) else max(found.value - rest, 0.0)
    seeds = Variance(value=setting.seed_variance + best.seed_variance, dof=seed_dof)

    def reach(variance: float, level: float) -> float:
        total = combined([Variance(value=variance, dof=found.dof), seeds])
        if not total.value or math.isinf(total.value):
            return total.value
        return critical_value(count, total.dof, level) * math.sqrt(total.value)

    half = reach(image_variance, level)
    return Difference(
        estimate=Estimate(value, value - half, value + half),
        least_margin=reach(image_variance + _imagined_variance(objects), 2 * level - 1),
        seed_share=seeds.value / (image_variance + seeds.value) if seeds.value else 0.0,
    )


def _pooled_variance(means: Sequence[Array]) -> Variance:
    """Between the seeds of a setting, from the means of the trials of all settings, (S,) each."""
    dof = sum(len(each) - 1 for each in means)
    if not dof:
        return Variance(value=0.0, dof=1.0)
    squares = sum(float(each.var()) * len(each) for each in means)
    return Variance(value=squares / dof, dof=float(dof))


def _imagined_variance(objects: Sequence[Array]) -> float:
    """Of the average, from IMAGINED images that differ by 100, spread evenly over the objects."""
    weights = np.array([1 / (len(images) * len(objects)) for images in objects])
    return float(IMAGINED * np.mean((100 * weights) ** 2))
