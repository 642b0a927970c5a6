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
from scipy import optimize, special, stats

from epropnp.evaluation.metrics import Array

RANGES = np.linspace(0, 16, 3201)  # of R; beyond, it is 1
NORMALS = np.linspace(-8, 8, 161)  # z
SCALES = 100  # s, evenly spaced in log s
TAIL = 1e-12  # of the distribution of s, left out at each end
LARGEST = 64.0  # q that is looked at first


@functools.lru_cache(maxsize=1024)  # with one seed all degrees of freedom are alike
def critical_value(count: int, dof: float, level: float) -> float:
    """c such that, with probability `level`, no difference of the means exceeds c of its standard errors.

    Args:
        count: of means, at least 2.
        dof: degrees of freedom of the variance, at least 1.
        level: probability, of all differences together.
    """
    scales, weights = _scales(dof)
    ranges = _range_distribution(count)

    def excess(q: float) -> float:
        return float(weights @ np.interp(q * scales, RANGES, ranges)) - level

    largest = LARGEST
    while excess(largest) < 0:  # few degrees of freedom
        largest *= 8
    return float(optimize.brentq(excess, 0.0, largest, xtol=1e-6)) / np.sqrt(2)


@functools.cache
def _range_distribution(count: int) -> Array:
    """R at RANGES."""
    inside = special.ndtr(NORMALS) - special.ndtr(NORMALS - RANGES[:, None])
    step = NORMALS[1] - NORMALS[0]
    return np.asarray(count * step * (inside ** (count - 1)) @ stats.norm.pdf(NORMALS))


def _scales(dof: float) -> tuple[Array, Array]:
    """Values of s, and their probabilities; in log s the density is smooth for any degrees of freedom."""
    ends = special.gammaincinv(dof / 2, TAIL), special.gammainccinv(dof / 2, TAIL)  # of d s^2 / 2
    low, high = (0.5 * np.log(2 * end / dof) for end in ends)
    logs = np.linspace(low, high, SCALES)
    density = dof * logs - 0.5 * dof * np.exp(2 * logs)
    weights = np.exp(density - density.max())
    return np.exp(logs), weights / weights.sum()
