"""Races over scores that are all there: what a race would have asked for, and how it would have ended."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epropnp.evaluation.metrics import Array
from sweeps.search.racing import Scores, look_at, next_seeds


@dataclass(frozen=True)
class Raced:
    """How a race ended.

    Attributes:
        left: numbers of the settings that may be the best.
        dropped: of the others.
        decided: whether one is left, or a group that is equal.
        trials: that it took.
    """

    left: tuple[int, ...]
    dropped: tuple[int, ...]
    decided: bool
    trials: int


def race(settings: Sequence[Array], margin: float, most: int = 5, earlier: Sequence[Array] = ()) -> Raced:
    """A race over settings of which every trial is known, (seeds, n) each; images are of one object."""
    objects = [np.arange(settings[0].shape[1])]
    seeds, left, number = [1] * len(settings), tuple(range(len(settings))), 0
    while True:
        scores = Scores(
            settings=[s[:n] for s, n in zip(settings, seeds, strict=True)], objects=objects, earlier=earlier
        )
        look = look_at(scores, left, number, margin)
        left, more = look.left, next_seeds(scores, look.left, most)
        if look.decided or not more:
            dropped = tuple(k for k in range(len(settings)) if k not in left)
            return Raced(left, dropped, look.decided, sum(seeds))
        for k in more:
            seeds[k] += 1
        number += 1


@dataclass(frozen=True)
class Rates:
    """Of many races: shares of those that dropped the best, that ended right, and of the full grid."""

    wrong: float
    right: float
    cost: float


def rates(races: Sequence[tuple[Raced, Array]], margin: float, most: int = 5) -> Rates:
    """Of races and the true means of their settings.

    Right is a winner within the margin of the best, or a group that holds it and no other one further away;
    a race that is not decided is right if the best is still there.
    """
    wrong = [int(truth.argmax()) in raced.dropped for raced, truth in races]
    right = [
        max(truth.max() - truth[list(raced.left)]) <= margin if raced.decided else not bad
        for (raced, truth), bad in zip(races, wrong, strict=True)
    ]
    cost = [raced.trials / (most * len(truth)) for raced, truth in races]
    return Rates(float(np.mean(wrong)), float(np.mean(right)), float(np.mean(cost)))
