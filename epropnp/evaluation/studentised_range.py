"""How many standard errors the differences of several means all stay within.

Of K independent normal means with a common variance that is known with d degrees of freedom, the largest
difference over its standard error is Q / sqrt(2), Q the studentised range (Tukey, The problem of multiple
comparisons, 1953):

    P(Q <= q) = int R(q s) p(s) ds,  R(w) = K int phi(z) (Phi(z) - Phi(z - w))^(K - 1) dz

with d s^2 distributed as chi^2 with d degrees of freedom. For two means Q / sqrt(2) is |t|. Where variances
or numbers of seeds differ, each difference takes its own standard error and degrees of freedom (Kramer,
Biometrics 12, 1956; Games and Howell, Journal of Educational Statistics 1, 1976). scipy's `studentized_range`
gives the same numbers, in a third of a second each; a table asks for hundreds.
"""

import functools

import numpy as np
import scipy  # whose parts load when they are used

from epropnp.evaluation.metrics import Array

RANGES = np.linspace(0, 16, 3201)  # where distributions are known; beyond, they are 1
NORMALS = np.linspace(-8, 8, 161)  # z
SCALES = np.linspace(0, 1, 100)[:, None]  # of log s, from one end of its distribution to the other
TAIL = 1e-12  # of the distribution of s, left out at each end
HALVINGS = 26  # of what is left to search for q


def critical_values(count: int, dof: Array, level: float) -> Array:
    """c such that, with probability `level`, no difference of the means exceeds c of its standard errors.

    Args:
        count: of means, at least 2.
        dof: degrees of freedom of the variance, at least 1, (M,).
        level: probability, of all differences together.

    Returns:
        (M,).
    """
    return quantiles(_range_distribution(count), dof, level) / np.sqrt(2)


def quantiles(distribution: Array, dof: Array, level: float) -> Array:
    """q such that W <= q s with probability `level`, (M,).

    Args:
        distribution: of W, at RANGES.
        dof: degrees of freedom of s, at least 1, (M,).
        level: so high that q is above 0.
    """
    scales, weights = _scales(dof)  # (SCALES, M) each

    def falls_short(q: Array) -> Array:
        return np.asarray((weights * np.interp(q * scales, RANGES, distribution)).sum(axis=0) < level)

    low, high = np.zeros(len(dof)), np.full(len(dof), 8.0)
    while (short := falls_short(high)).any():  # few degrees of freedom
        high = np.where(short, 2 * high, high)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        short = falls_short(middle)
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return high


@functools.cache
def _range_distribution(count: int) -> Array:
    """R at RANGES."""
    inside = scipy.special.ndtr(NORMALS) - scipy.special.ndtr(NORMALS - RANGES[:, None])
    step = NORMALS[1] - NORMALS[0]
    return np.asarray(count * step * (inside ** (count - 1)) @ scipy.stats.norm.pdf(NORMALS))


def _scales(dof: Array) -> tuple[Array, Array]:
    """Values of s, and their probabilities; in log s the density is smooth for any degrees of freedom."""
    ends = scipy.special.gammaincinv(dof / 2, TAIL), scipy.special.gammainccinv(dof / 2, TAIL)  # of d s^2 / 2
    low, high = (0.5 * np.log(2 * end / dof) for end in ends)
    logs = low + (high - low) * SCALES  # (SCALES, M)
    density = dof * logs - 0.5 * dof * np.exp(2 * logs)
    weights = np.exp(density - density.max(axis=0))
    return np.exp(logs), weights / weights.sum(axis=0)
