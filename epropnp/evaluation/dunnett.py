"""By how many standard errors the best of several means may fall behind another one by chance.

Of K independent normal means with a common variance that is known with d degrees of freedom, one is compared
with all others: the largest of the K - 1 differences over their standard error stays below c with probability

    int D(sqrt(2) c s) p(s) ds,  D(w) = int phi(z) Phi(z + w)^(K - 1) dz

(Dunnett, Journal of the American Statistical Association 50, 1955). Whether a mean may still be the best of
all asks no more than that: what is behind another one by more is not, whichever is (Hsu, Annals of Statistics
12, 1984). All pairs, as in `studentised_range`, ask more.
"""

import functools

import numpy as np
import scipy  # whose parts load when they are used

from epropnp.evaluation.metrics import Array
from epropnp.evaluation.studentised_range import NORMALS, RANGES, quantiles


def critical_values_of_best(count: int, dof: Array, level: float) -> Array:
    """c such that, with probability `level`, the best mean is behind no other one by c standard errors.

    Args:
        count: of means, at least 2.
        dof: degrees of freedom of the variance, at least 1, (M,).
        level: probability, above one half.

    Returns:
        (M,).
    """
    return quantiles(_behind_distribution(count), dof, level) / np.sqrt(2)


@functools.cache
def _behind_distribution(count: int) -> Array:
    """D at RANGES."""
    below = scipy.special.ndtr(NORMALS + RANGES[:, None]) ** (count - 1)
    step = NORMALS[1] - NORMALS[0]
    return np.asarray(step * below @ scipy.stats.norm.pdf(NORMALS))
