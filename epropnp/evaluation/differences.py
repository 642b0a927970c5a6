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
from dataclasses import dataclass, replace

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


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Differences of M pairs of settings, and the squared standard errors that images and seeds make up.

    Attributes:
        value: in points, (M,).
        of_images: variance, (M,).
        of_seeds: variance, (M,).
    """

    value: Array
    of_images: Variance
    of_seeds: Variance

    @property
    def error(self) -> Variance:
        """Of both together."""
        return combined([self.of_images, self.of_seeds])


def paired(
    settings: Sequence[Array],
    objects: Sequence[Array],
    first: Array,
    second: Array,
    earlier: Sequence[Array] = (),
) -> Paired:
    """Differences of settings, `first` less `second`; see the module for the method.

    Args:
        settings: K of what every image counts in each trial, 0 to 100, (S, n); S may differ.
        objects: indices of the images of each.
        first, second: numbers of settings, (M,) each.
        earlier: scores of the seeds of other settings, (S,) each, that are known to spread alike.
    """
    images = np.stack([values.mean(axis=0) for values in settings])  # (K, n)
    difference = images[first] - images[second]
    whole = known_variance(difference, objects)
    rests = np.array([_rest_variance(values, objects) for values in settings])
    rest = rests[first] + rests[second]
    # Both are infinite where every object has one image; the difference is to stay so.
    of_images = np.maximum(whole.value - np.where(np.isfinite(rest), rest, 0.0), 0.0)
    spreads = _seed_variances([average(values, objects) for values in settings], earlier)
    return Paired(
        value=average(difference, objects),
        of_images=Variance(value=of_images, dof=whole.dof),
        of_seeds=Variance(value=spreads.value[first] + spreads.value[second], dof=spreads.dof),
    )


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
    others = np.arange(1, len(settings))
    found = paired(settings, objects, others, np.zeros_like(others))

    def reach(error: Variance, level: float) -> Array:
        return np.sqrt(error.value) * critical_values(len(settings), error.dof, level)

    of_seeds, total = found.of_seeds.value, found.of_images.value + found.of_seeds.value
    columns = (
        found.value,
        reach(found.error, level),
        reach(doubted(found, objects).error, 2 * level - 1),
        np.divide(of_seeds, total, out=np.zeros(len(others)), where=total > 0),
    )
    return [
        Difference(estimate=Estimate(value, value - half, value + half), least_margin=least, seed_share=share)
        for value, half, least, share in zip(*(column.tolist() for column in columns), strict=True)
    ]


def doubted(found: Paired, objects: Sequence[Array]) -> Paired:
    """The same with some images more that differ, to show that a difference is small."""
    images = found.of_images
    more = Variance(value=images.value + _imagined_variance(objects), dof=images.dof)
    return replace(found, of_images=more)


def _rest_variance(values: Array, objects: Sequence[Array]) -> float:
    """Of e in the mean over the seeds and images of a setting, (S, n); 0 for one seed."""
    others = len(values) - 1
    if not others:
        return 0.0
    # The deviations from the mean of S trials vary by (S - 1) / S of what the trials do.
    return float(sampling_variance(values - values.mean(axis=0), objects).mean()) / others


def _seed_variances(scores: Sequence[Array], earlier: Sequence[Array] = ()) -> Variance:
    """Of the mean over seeds of each setting, from the scores of its trials, (S,) each: (K,)."""
    seeds = np.array([len(each) for each in (*scores, *earlier)])
    free = seeds - 1
    squares = np.array([each.var() for each in (*scores, *earlier)]) * seeds
    pooled = squares.sum() / max(free.sum(), 1)
    own = squares / np.maximum(free, 1)
    fourth = (squares**2 / (seeds + 1)).sum()
    dof = np.minimum(squares.sum() ** 2 / fourth, free.sum()) if fourth else max(free.sum(), 1)
    spread = (np.maximum(own, pooled) / seeds)[: len(scores)]
    return Variance(value=spread, dof=np.asarray(dof))


def _imagined_variance(objects: Sequence[Array]) -> float:
    """Of the average, from IMAGINED images that differ by 100, spread evenly over the objects."""
    weights = np.array([1 / (len(images) * len(objects)) for images in objects])
    return float(IMAGINED * np.mean((100 * weights) ** 2))
