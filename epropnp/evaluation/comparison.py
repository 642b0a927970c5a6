"""Which of several settings scores best, by how much, and whether that can be told apart from chance.

A setting is trained with S seeds, and every trial of every setting is tested on the same n images. What
image i counts in trial s (0 to 100) is taken as

    x_si = mu + a_s + b_i + e_si

with a_s the luck of the seed, b_i how hard the image is for this setting, and e_si the rest. mu is estimated
by the mean over seeds and images (over the images of each object, then over objects). Its 95 % interval
answers "other images of this kind AND other seeds", and so does that of the difference of two settings,
which is taken image by image first: an image that is hard for both cancels. Each draw of the bootstrap adds
up two parts.

Images: drawn with replacement within each object, the same ones for all settings and seeds (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13). They vary b and e: variance V_I.
Seeds: the standard error of the mean over seeds, V_S = s^2 / S with s the standard deviation of the S trials'
    means, times a draw of Student's t with S - 1 degrees of freedom. For a difference V_S is the sum of both
    and the degrees of freedom are Welch's (Biometrika 34, 1947). This level of the hierarchy is a parametric
    one because drawing 2 to 5 seeds with replacement hardly varies them: where seeds matter more than images,
    such 95 % intervals held the truth in 72 % (S = 2), 82 % (3) and 91 % (5) of simulated comparisons.

e is in both parts; its variance V_E, measured on the deviations of the trials from their mean, is taken out
of the first: the images' deviations shrink by sqrt(1 - V_E / V_I). (Two-way resampling counts it more than
once: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007.)

With one seed the second part is missing: the interval is that of `scores.estimates`, and says nothing about
other seeds. Seeds of different settings count as independent. Every interval stands for itself: none is
widened for the number of settings, or because the best one was picked by the same images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from epropnp.errors import UserError
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.scores import resampled_means

Verdict = Literal["best", "worse", "not distinguishable"]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One setting among others, in percent.

    Attributes:
        name: of the setting.
        seeds: score of each of its trials.
        mean: over seeds and images.
        spread: standard deviation between the seeds; None for one seed.
        difference: to the best setting, paired over images; negative where it scores less.
        verdict: `not distinguishable` where the interval of the difference contains 0.
    """

    name: str
    seeds: tuple[float, ...]
    mean: Estimate
    spread: float | None
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class _Setting:
    """What the trials of a setting say.

    Attributes:
        seeds: score of each trial, (S,).
        images: what each image counts, mean over seeds, (n,).
        seed_variance: V_S, of the mean over seeds; 0 for one seed.
        rest_variance: V_E, the share of images x seeds in it; 0 for one seed.
    """

    seeds: Array
    images: Array
    seed_variance: float
    rest_variance: float


def compare(
    trials: Mapping[str, Array],
    object_id: Array,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Compared]:
    """Compare settings on one score; see the module for the method.

    Args:
        trials: by setting, what every image counts in each of its trials, 0 to 100, (S, n); S may differ.
        object_id: of each image, (n,).
        resamples: number of draws.
        level: probability of the intervals.
        seed: of the draws.

    Returns:
        The settings, best first; of equals, the earlier.

    Raises:
        UserError: a setting was not tested on n images.
    """
    for name, values in trials.items():
        if values.shape[1:] != object_id.shape or not values.size:
            raise UserError(f"{name}: scores of shape {values.shape}, not (seeds, {len(object_id)} images)")
    objects = [np.flatnonzero(object_id == key) for key in np.unique(object_id)]
    settings = {name: _setting(values, objects) for name, values in trials.items()}
    order = sorted(settings, key=lambda name: -settings[name].seeds.mean())
    best = settings[order[0]]
    columns = [settings[name].images for name in order]
    columns += [settings[name].images - best.images for name in order]
    drawn = _draws(np.stack(columns, axis=1), objects, resamples, np.random.default_rng(seed))
    # One draw from each of as many equally likely parts, so that the tails of t are not left to chance.
    parts = (np.random.default_rng([seed, 1]).permutation(resamples) + 0.5) / resamples

    rows = []
    for k, name in enumerate(order):
        own, other = settings[name], k + len(order)
        mean = _estimate(columns[k], drawn[:, k], [own], objects, parts, level)
        difference = Estimate(0.0, 0.0, 0.0)
        if k:
            difference = _estimate(columns[other], drawn[:, other], [own, best], objects, parts, level)
        rows.append(
            Compared(
                name=name,
                seeds=tuple(own.seeds.tolist()),
                mean=Estimate(mean.value, max(mean.low, 0.0), min(mean.high, 100.0)),
                spread=float(own.seeds.std(ddof=1)) if len(own.seeds) > 1 else None,
                difference=difference,
                verdict="best" if k == 0 else "worse" if difference.high < 0 else "not distinguishable",
            )
        )
    return rows


def _setting(values: Array, objects: Sequence[Array]) -> _Setting:
    seeds = _average(values, objects)  # (S,)
    images = values.mean(axis=0)
    others = len(seeds) - 1
    if not others:
        return _Setting(seeds=seeds, images=images, seed_variance=0.0, rest_variance=0.0)
    return _Setting(
        seeds=seeds,
        images=images,
        seed_variance=float(seeds.var(ddof=1)) / len(seeds),
        # The deviations from the mean of S trials vary by (S - 1) / S of what the trials do.
        rest_variance=float(_variance(values - images, objects).mean()) / others,
    )


def _estimate(
    column: Array,
    drawn: Array,
    settings: Sequence[_Setting],
    objects: Sequence[Array],
    parts: Array,
    level: float,
) -> Estimate:
    """The mean of a column (n,) whose images were drawn, (resamples,), with the seeds of `settings` added."""
    value = float(_average(column, objects))
    image_variance = float(_variance(column, objects))
    rest_variance = sum(setting.rest_variance for setting in settings)
    kept = 1 - rest_variance / image_variance if image_variance else 0.0
    draws = value + np.sqrt(max(kept, 0.0)) * (drawn - value) if rest_variance else drawn
    seed_variance = sum(setting.seed_variance for setting in settings)
    if seed_variance:
        shares = [
            (s.seed_variance / seed_variance) ** 2 / (len(s.seeds) - 1) for s in settings if s.seed_variance
        ]
        draws = draws + np.sqrt(seed_variance) * stats.t.ppf(parts, 1 / sum(shares))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(low), float(high))


def _average(values: Array, objects: Sequence[Array]) -> Array:
    """Mean over the images of each object, then over objects: (..., n) to (...)."""
    return np.asarray(np.mean([values[..., images].mean(-1) for images in objects], axis=0))


def _variance(values: Array, objects: Sequence[Array]) -> Array:
    """Variance of `_average` when the images of each object are drawn anew: (..., n) to (...)."""
    variances = [values[..., images].var(-1) / len(images) for images in objects]
    return np.asarray(np.sum(variances, axis=0) / len(objects) ** 2)


def _draws(table: Array, objects: Sequence[Array], resamples: int, rng: np.random.Generator) -> Array:
    """Averages of the columns (n, M) over drawn images, (resamples, M); the draws of `scores.estimates`."""
    return np.asarray(np.mean([resampled_means(table[images], resamples, rng) for images in objects], axis=0))
