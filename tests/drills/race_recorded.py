"""How often races between recorded trials drop the best setting, answer right, and what they cost.

    python -m tests.drills.race_recorded --races 2000          # minutes on one core

The trials are those of `tests/sweeps/recorded/pool48.npz`, 8 settings with 6 seeds each; `pool.py` says how a
race is drawn from them. For docs/comparing.md.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import tyro

from tests.drills.verdict_rates import markdown
from tests.sweeps.search.pool import Drawn, drawn, recorded
from tests.sweeps.search.races import rates

FAMILIES = ((2, 3, 4), (5, 6, 7, 8), tuple(range(9, 17)))
LEADS = (0.0, 2.0, 6.0, 12.0, 100.0)  # points, between which races are counted together


@dataclass(frozen=True, kw_only=True)
class RecordedConfig:
    """How much is drawn."""

    races: int = 2000
    """Of each family of sizes, and of each score."""
    scores: tuple[str, ...] = ("add_auc_10cm", "mspd_ar")
    """By which settings race."""
    margin: float = 5.0
    """Within which settings are equal."""
    seed: int = 0
    """Of all that is drawn."""


def told(races: Sequence[Drawn], margin: float) -> str:
    """Wrong drops, right answers, trials over those of the full grid, and of how many races."""
    if not races:
        return "-"
    found = rates([(each.raced, each.truth) for each in races], margin)
    return f"{100 * found.wrong:.1f} %, {100 * found.right:.1f} %, {found.cost:.2f} ({len(races)})"


def row(config: RecordedConfig, score: str, family: Sequence[int], known: bool) -> list[str]:
    """Of one score and family of sizes: all races, and by the lead of the best."""
    rng = np.random.default_rng([config.seed, len(score), family[0], known])
    pool, margin = recorded(score), config.margin
    races = [drawn(rng, pool, int(rng.choice(family)), margin, known=known) for _ in range(config.races)]
    groups = [[each for each in races if low <= each.lead < high] for low, high in pairwise(LEADS)]
    spread = "known" if known else "unknown"
    return [score, f"{family[0]} to {family[-1]}", spread, *(told(each, margin) for each in (races, *groups))]


def main(config: RecordedConfig) -> int:
    leads = [f"lead {low:g} to {high:g}" if high < 100 else f"above {low:g}" for low, high in pairwise(LEADS)]
    rows = [["score", "settings", "spread", "all", *leads]]
    for score in config.scores:
        for family in FAMILIES:
            rows += [row(config, score, family, known) for known in (False, True)]
    print(markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(RecordedConfig, description=__doc__)))
