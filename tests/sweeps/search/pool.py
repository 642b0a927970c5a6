"""Races between recorded trials: which settings, which of their seeds, and which images, is drawn anew."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from epropnp.evaluation.metrics import Array
from tests.sweeps.search.races import Raced, race

FILE = Path(__file__).parents[1] / "recorded" / "pool48.npz"
COPIES_BEHIND = 8.0  # points at most, of shifted copies


@dataclass(frozen=True)
class Drawn:
    """A race.

    Attributes:
        raced: how it went.
        truth: of each setting, its score over all recorded seeds and images.
    """

    raced: Raced
    truth: Array

    @property
    def lead(self) -> float:
        """Of the best over the second."""
        second, best = np.sort(self.truth)[-2:]
        return float(best - second)


def recorded(score: str, file: Path = FILE) -> Array:
    """What every image counts, 0 to 100, (settings, seeds, images)."""
    with np.load(file, allow_pickle=False) as found:
        return found[score] / 100.0


def drawn(
    rng: np.random.Generator, pool: Array, count: int, margin: float, most: int = 5, known: bool = False
) -> Drawn:
    """A race of so many settings.

    Those above the number of recorded ones are copies that are behind by up to eight points, with an order of
    seeds of their own. All settings share the images, which are drawn with replacement.

    Args:
        pool: what is recorded.
        count: of settings.
        margin: within which they are equal.
        most: seeds of each.
        known: whether the seeds of settings that do not race tell of the spread, or of the copied ones.
    """
    settings, seeds, images = pool.shape
    chosen = rng.permutation(settings)[:count]
    copied = rng.permutation(settings)[: max(count - settings, 0)]
    behind = np.concatenate([np.zeros(len(chosen)), rng.uniform(0, COPIES_BEHIND, len(copied))])
    which = rng.integers(images, size=images)
    rows, truth = [], []
    for k, shift in zip([*chosen, *copied], behind, strict=True):
        values = np.maximum(pool[k] - shift, 0)
        truth.append(values.mean())
        rows.append(values[rng.permutation(seeds)[:most]][:, which])
    others = [pool[k].mean(axis=1) for k in range(settings) if k not in chosen] if known else []
    return Drawn(race(rows, margin, most, others), np.array(truth))
