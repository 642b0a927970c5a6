"""What a setting scores, over seeds and images, with an interval that stands for itself.

A setting is trained with S seeds, and every trial of every setting is tested on the same n images. What
image i counts in trial s (0 to 100) is taken as

    x_si = mu + a_s + b_i + e_si

with a_s the luck of the seed, b_i how hard the image is for this setting, and e_si the rest. mu is estimated
by the mean over seeds and images (over the images of each object, then over objects). Its 95 % interval
answers "other images of this kind AND other seeds". Each draw of the bootstrap adds up two parts.

Images: drawn with replacement within each object, the same ones for all settings and seeds (Efron and
    Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13). They vary b and e: variance V_I.
Seeds: the standard error of the mean over seeds, V_S = s^2 / S with s the standard deviation of the S trials'
    means, times a draw of Student's t with S - 1 degrees of freedom. This level of the hierarchy is a
    parametric one because drawing 2 to 5 seeds with replacement hardly varies them: where seeds matter more
    than images, such 95 % intervals held the truth in 72 % (S = 2), 82 % (3) and 91 % (5) of simulated
    comparisons.

e is in both parts; its variance V_E, measured on the deviations of the trials from their mean, is taken out
of the first: the images' deviations shrink by sqrt(1 - V_E / V_I). (Two-way resampling counts it more than
once: Owen, The pigeonhole bootstrap, Annals of Applied Statistics 1, 2007.)

With one seed the second part is missing: the interval is that of `scores.estimates`, and says nothing about
other seeds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy  # whose parts load when they are used

from epropnp.evaluation.by_object import average, resampling_variance
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.scores import resampled_means


def mean_estimates(
    trials: Mapping[str, Array], objects: Sequence[Array], resamples: int, level: float, seed: int
) -> dict[str, Estimate]:
    """The mean of each setting with its interval, within 0 and 100; see the module for the method.

    Args:
        trials: by setting, what every image counts in each of its trials, 0 to 100, (S, n); S may differ.
        objects: indices of the images of each.
        resamples: number of draws, shared by all settings.
        level: probability of each interval.
        seed: of the draws.
    """
    images = np.stack([values.mean(axis=0) for values in trials.values()], axis=1)  # (n, K)
    drawn = _draws(images, objects, resamples, np.random.default_rng(seed))  # (resamples, K)
    # One draw from each of as many equally likely parts, so that the tails of t are not left to chance.
    parts = (np.random.default_rng([seed, 1]).permutation(resamples) + 0.5) / resamples
    found = {}
    for k, (name, values) in enumerate(trials.items()):
        value = float(average(images[:, k], objects))
        draws = drawn[:, k] if len(values) == 1 else _with_seeds(values, objects, drawn[:, k], parts)
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        found[name] = Estimate(value, max(float(low), 0.0), min(float(high), 100.0))
    return found


def _with_seeds(values: Array, objects: Sequence[Array], drawn: Array, parts: Array) -> Array:
    """Means (resamples,) of a setting (S, n) over drawn images, and over drawn seeds as well."""
    seeds, images = len(values), values.mean(axis=0)
    value = float(average(images, objects))
    image_variance = float(resampling_variance(images, objects))
    # The deviations from the mean of S trials vary by (S - 1) / S of what the trials do.
    rest_variance = float(resampling_variance(values - images, objects).mean()) / (seeds - 1)
    kept = max(1 - rest_variance / image_variance, 0.0) if image_variance else 0.0
    seed_error = average(values, objects).std(ddof=1) / np.sqrt(seeds)
    moved = np.sqrt(kept) * (drawn - value) + seed_error * scipy.stats.t.ppf(parts, seeds - 1)
    return np.asarray(value + moved)


def _draws(table: Array, objects: Sequence[Array], resamples: int, rng: np.random.Generator) -> Array:
    """Averages of the columns (n, K) over drawn images, (resamples, K); the draws of `scores.estimates`."""
    return np.asarray(np.mean([resampled_means(table[images], resamples, rng) for images in objects], axis=0))
