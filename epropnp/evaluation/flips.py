"""Images that one setting gets right and another never does: what a difference of scores is made of."""

from dataclasses import dataclass

import numpy as np

from epropnp.evaluation.metrics import Array


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Counts of images.

    Attributes:
        gained: right in most of the seeds here, and in none of the other setting.
        lost: the reverse.
    """

    gained: int
    lost: int


def flips(here: Array, there: Array) -> Flips:
    """Compare the hits of two settings, (S, n) and (T, n), of the same n images; above 0 is right."""
    return Flips(gained=_only(here, there), lost=_only(there, here))


def _only(here: Array, there: Array) -> int:
    mostly = 2 * (here > 0).sum(axis=0) > len(here)
    never = ~(there > 0).any(axis=0)
    return int(np.count_nonzero(mostly & never))
