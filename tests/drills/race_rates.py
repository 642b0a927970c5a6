"""How often races drop the best setting, answer right, and what they cost: simulated, for docs/comparing.md.

    python -m tests.drills.race_rates --races 500          # minutes on one core

Images and seeds are those of `verdict_rates`. The best setting scores 60 %, the second is behind by the lead,
the others by that and exponential distances of 8 points on average; a lead of 0 makes all equal. Where the
spread is known, 10 settings of earlier sweeps with three seeds each tell of it.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tyro

from epropnp.evaluation.metrics import Array
from tests.drills.verdict_rates import CHANCE, UNEQUAL, Spread, markdown, simulated, told_spread
from tests.sweeps.search.races import Raced, race, rates

LEADS = (0.0, 4.0, 8.0, 16.0)
FAMILIES = (2, 4, 8, 16)
SPREADS: tuple[Spread, ...] = (1.4, 3.0, UNEQUAL)
OTHERS = 8.0  # points, the mean distance of those that follow
LEAST = 5.0  # percent, of the worst setting
SEEDS = 5
EARLIER = 10  # settings, with three seeds each


@dataclass(frozen=True, kw_only=True)
class RatesConfig:
    """How much is simulated."""

    races: int = 500
    """For each cell."""
    images: int = 500
    """Validation images, of one object."""
    margin: float = 5.0
    """Within which settings are equal."""
    seed: int = 0
    """Of all that is drawn."""


def raced(
    rng: np.random.Generator, config: RatesConfig, count: int, lead: float, spread: Spread, known: bool
) -> tuple[Raced, Array]:
    """A race, and the true scores."""
    behind = lead + rng.exponential(OTHERS, count - 1) if lead else np.zeros(count - 1)
    means = np.maximum(CHANCE - np.concatenate([[0.0], np.sort(behind)]), LEAST)
    means[1] = max(CHANCE - lead, LEAST)
    points = rng.choice(spread, EARLIER) if isinstance(spread, tuple) else np.full(EARLIER, spread)
    earlier = [50 + luck * rng.standard_normal(3) for luck in points] if known else []
    settings = simulated(rng, means.tolist(), SEEDS, config.images, spread)
    return race(settings, config.margin, SEEDS, earlier), means


def table(config: RatesConfig, known: bool) -> list[list[str]]:
    """Wrong drops, right answers, trials over those of the full grid."""
    rows = [["spread", "settings", *(f"lead {lead:g}" if lead else "all equal" for lead in LEADS)]]
    for spread in SPREADS:
        for count in FAMILIES:
            cells = []
            for lead in LEADS:
                rng = np.random.default_rng([config.seed, count, int(lead), known])
                races = [raced(rng, config, count, lead, spread, known) for _ in range(config.races)]
                found = rates(races, config.margin, SEEDS)
                cells.append(f"{100 * found.wrong:.1f} %, {100 * found.right:.0f} %, {found.cost:.2f}")
            rows.append([told_spread(spread), str(count), *cells])
    return rows


def main(config: RatesConfig) -> int:
    titles: Sequence[str] = ("Nothing is known of the spread:", "The spread is known:")
    for known, title in enumerate(titles):
        print(f"{title}\n\n{markdown(table(config, bool(known)))}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(RatesConfig, description=__doc__)))
