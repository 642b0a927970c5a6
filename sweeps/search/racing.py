"""Racing: seeds are spent where the decision is open. Pure functions of what validation images count.

All settings get one seed; then, look by look, the better half of those left gets one more. A setting is
dropped when it is shown not to be the best: when the interval of its difference to another one lies below 0.
The intervals hold for all looks and settings together: of all races in which the best setting is dropped,
there are 5 % at most. They are those of `epropnp.evaluation.differences`, paired over the images and with one
variance between seeds, pooled over the settings and over earlier sweeps that know it, but for two things:

* a race asks less than a table, "may this one still be the best?": Dunnett's one-sided critical values, not
  all pairs. K stays the number of settings at the start, for those left are there by good luck, too.
* the 5 % are spent over the looks, `spent`: little at the first ones, whose variances are hardly known.

A race is decided when one setting is left, or when all that are left are shown to differ by less than the
margin, by two one-sided tests of each pair. Who gets the next seed is a matter of taste: only dropping needs
the guarantee.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # whose parts load when they are used

from epropnp.evaluation.by_object import average
from epropnp.evaluation.differences import doubted, paired
from epropnp.evaluation.dunnett import critical_values_of_best
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.metrics import Array

SPENT = (0.004, 0.008, 0.008, 0.01, 0.01)  # of the first looks; each later one spends half of the one before
UNKNOWN_SPREAD = 3.0  # points between seeds, as long as nothing is known of it
# Degrees of freedom, rounded down to few, so that critical values are found again.
STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 30, 50, 100, 300)


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What is known of the settings of a race.

    Attributes:
        settings: of K settings, what every image counts in each trial, 0 to 100, (S, n); S may differ.
        objects: indices of the images of each object.
        earlier: scores of the seeds of other settings, of sweeps before this one, (S,) each, S at least 2.
    """

    settings: Sequence[Array]
    objects: Sequence[Array]
    earlier: Sequence[Array] = ()

    @property
    def means(self) -> list[float]:
        """Of each setting."""
        return [float(average(values, self.objects).mean()) for values in self.settings]

    @property
    def spread(self) -> float | None:
        """Standard deviation between seeds, pooled; None as long as no setting has two."""
        scores = [*(average(values, self.objects) for values in self.settings), *self.earlier]
        free = sum(len(each) - 1 for each in scores)
        return float(sum(each.var() * len(each) for each in scores) / free) ** 0.5 if free else None


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a look at a race says.

    Attributes:
        number: of the look, from 0 on.
        left: numbers of the settings that may still be the best.
        dropped: of those that may not any more, since this look: how far behind which other one.
        equal: whether all that are left were shown to be within the margin of each other.
    """

    number: int
    left: tuple[int, ...]
    dropped: Mapping[int, tuple[int, Estimate]]
    equal: bool

    @property
    def decided(self) -> bool:
        """Whether there is an answer."""
        return self.equal or len(self.left) == 1


def spent(look: int) -> float:
    """Probability of a wrong drop that a look, counted from 0, may add."""
    return SPENT[look] if look < len(SPENT) else SPENT[-1] / 2 ** (look - len(SPENT) + 1)


def look_at(scores: Scores, left: Sequence[int], number: int, margin: float) -> Look:
    """Drop what is shown not to be the best.

    Args:
        scores: of all settings that the race began with.
        left: those that were not dropped before.
        number: of the look, from 0 on.
        margin: settings that differ by less points are equal.
    """
    pairs = [(i, j) for i in left for j in left if i != j]
    if not pairs or scores.spread is None:
        return Look(number=number, left=tuple(left), dropped={}, equal=False)
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    found = paired(scores.settings, scores.objects, first, second, scores.earlier)
    reach = _reaches(found.error.value, found.error.dof, len(scores.settings), spent(number))
    furthest = (found.value + reach).reshape(len(left), -1)  # of each setting, to each other one
    dropped = {}
    for i, row in enumerate(furthest):
        at = int(row.argmin())
        if row[at] < 0:
            k = i * (len(left) - 1) + at
            value, half = float(found.value[k]), float(reach[k])
            dropped[left[i]] = int(second[k]), Estimate(value, value - half, value + half)
    kept = [each for each in left if each not in dropped]
    among = [i in kept and j in kept for i, j in pairs]
    error = doubted(found, scores.objects).error
    narrow = np.abs(found.value) + scipy.stats.t.ppf(1 - spent(number), error.dof) * np.sqrt(error.value)
    equal = len(kept) > 1 and bool((narrow[among] < margin).all())
    return Look(number=number, left=tuple(kept), dropped=dropped, equal=equal)


def next_seeds(scores: Scores, left: Sequence[int], most: int) -> list[int]:
    """Those of the settings left that get one more seed: the better half by what they may still reach.

    Args:
        scores: of all settings.
        left: those that may still be the best.
        most: seeds of a setting.
    """
    spread = UNKNOWN_SPREAD if scores.spread is None else scores.spread
    seeds = [len(values) for values in scores.settings]
    highest = [mean + 2 * spread / count**0.5 for mean, count in zip(scores.means, seeds, strict=True)]
    open_ones = sorted((k for k in left if seeds[k] < most), key=lambda k: (-highest[k], k))
    return open_ones[: max(2, -(-len(left) // 2))]


def resolution(scores: Scores, most: int) -> float:
    """The lead, in points, that a race with so many seeds of each setting can show at its last look."""
    count = len(scores.settings)
    first, second = np.triu_indices(count, 1)
    found = paired(scores.settings, scores.objects, first, second, scores.earlier)
    spread = UNKNOWN_SPREAD if scores.spread is None else scores.spread
    variance = found.of_images.value + 2 * spread**2 / most
    reach = _reaches(variance, np.full(len(first), count * (most - 1.0)), count, spent(most - 1))
    return float(np.median(reach))


def _reaches(variance: Array, dof: Array, count: int, probability: float) -> Array:
    """Half the width of the intervals of differences, (M,)."""
    critical = [_critical(count, max(s for s in STEPS if s <= max(d, 1)), probability) for d in dof]
    return np.asarray(np.sqrt(variance) * critical)


@functools.cache
def _critical(count: int, dof: float, probability: float) -> float:
    return float(critical_values_of_best(count, np.array([dof]), 1 - probability)[0])
