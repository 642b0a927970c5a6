"""How often verdicts err, and how much they see: sweeps that are simulated, and tables for docs/comparing.md.

    python tests/drills/verdict_rates.py --sweeps 2000          # ten minutes on one core

An image counts 100 where the sum of five normal parts is positive: the setting's chance, the luck of the
seed, how hard the image is for all, how hard for this setting, and the rest. Luck is drawn so that the scores
of a setting's seeds spread by the points that a row says. "Each for itself" is the rule without a family:
Welch's t interval of each difference to the best, 95 % each.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import tyro
from scipy import stats

from epropnp.evaluation.by_object import Variance, combined
from epropnp.evaluation.comparison import verdict_of
from epropnp.evaluation.differences import Difference, differences_to_first
from epropnp.evaluation.metrics import Array

LEVEL = 0.95
COMMON, OWN, REST = 0.5, 0.2, 0.3  # variances: of an image for all, for a setting, for a trial
NORMAL = NormalDist()
CHANCE = 60.0  # percent, of the best
UNEQUAL = (1.0, 2.0, 6.0)  # points, of which each setting draws one
FAMILIES = (2, 4, 8, 16)
BEHIND = (5.0, 8.0, 12.0)
POWER = ((1, 0.0), (3, 1.4), (5, 1.4), (3, 3.0), (5, 3.0))  # seeds and spread
EFFORTS = ((3, 300), (3, 1000), (5, 1000), (3, 13_000))  # seeds and images, at a spread of 1.4
MARGINS = ((300, 60.0, 5.0), (3000, 60.0, 5.0), (300, 97.0, 2.0), (50, 98.0, 5.0))  # images, chance, margin

Spread = float | tuple[float, ...]
SPREADS: dict[int, tuple[Spread, ...]] = {  # by seeds
    1: (0.0,),
    3: (0.0, 1.4, 3.0, UNEQUAL),
    5: (0.0, 1.4, 3.0, UNEQUAL),
}


@dataclass(frozen=True, kw_only=True)
class RatesConfig:
    """How much is simulated."""

    sweeps: int = 2000
    """For each number."""
    images: int = 300
    """Test images, of one object, where a table does not say."""
    seed: int = 0
    """Of all that is drawn."""


def simulated(
    rng: np.random.Generator, chances: Sequence[float], seeds: int, images: int, spread: Spread
) -> list[Array]:
    """What images count in the trials of settings, (seeds, images) each."""
    count = len(chances)
    z = np.array([NORMAL.inv_cdf(chance / 100) for chance in chances])
    points = rng.choice(spread, count) if isinstance(spread, tuple) else np.full(count, spread)
    luck = points / (100 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi))  # over the slope: points of the score
    level = z * np.sqrt(1 + luck**2)  # so that the mean over seeds is the chance
    common = np.sqrt(COMMON) * rng.standard_normal(images)
    image = common + np.sqrt(OWN) * rng.standard_normal((count, 1, images))
    trial = (level + luck * rng.standard_normal((seeds, count))).T[..., None]  # (count, seeds, 1)
    rest = np.sqrt(REST) * rng.standard_normal((count, seeds, images))
    return list(100.0 * (trial + image + rest > 0))


def ranked(settings: Sequence[Array]) -> list[int]:
    """Places of settings, the best first."""
    return sorted(range(len(settings)), key=lambda k: -settings[k].mean())


def differences(settings: Sequence[Array]) -> dict[int, Difference]:
    """By its place, how far a setting is behind the best."""
    best, *others = order = ranked(settings)
    objects = [np.arange(settings[best].shape[1])]
    found = differences_to_first([settings[k] for k in order], objects, LEVEL)
    return dict(zip(others, found, strict=True))


def worse(settings: Sequence[Array]) -> set[int]:
    """Places of the settings that are called worse."""
    return {k for k, each in differences(settings).items() if verdict_of(each, margin=0.0) == "worse"}


def worse_each_for_itself(settings: Sequence[Array]) -> set[int]:
    """The same by intervals that know nothing of a family, nor of the spread of other settings."""
    best, *others = ranked(settings)
    images = settings[best].shape[1]
    found = set()
    for k in others:
        pair = (settings[k], settings[best])
        paired = settings[k].mean(0) - settings[best].mean(0)
        parts, rest = [], np.zeros(())
        for values in pair:
            dof = len(values) - 1
            if dof:
                parts.append(Variance(value=values.mean(1).var(ddof=1) / len(values), dof=np.array(dof)))
                rest += (values - values.mean(0)).var(1, ddof=1).mean() / dof / images
        left = np.maximum(paired.var(ddof=1) / images - rest, 0.0)
        total = combined([Variance(value=left, dof=np.array(images - 1)), *parts])
        if paired.mean() + stats.t.ppf((1 + LEVEL) / 2, total.dof) * np.sqrt(total.value) < 0:
            found.add(k)
    return found


def false_worse(config: RatesConfig) -> list[list[str]]:
    """How often any of several equal settings is called worse (each for itself)."""
    rows = [["seeds", "spread", *(f"{count} settings" for count in FAMILIES)]]
    for seeds, spreads in SPREADS.items():
        for spread in spreads:
            cells = []
            for count in FAMILIES:
                rng = np.random.default_rng([config.seed, 0, seeds, count])
                together, alone = [], []
                for _ in range(config.sweeps):
                    settings = simulated(rng, [CHANCE] * count, seeds, config.images, spread)
                    together.append(bool(worse(settings)))
                    alone.append(bool(worse_each_for_itself(settings)))
                cells.append(f"{_percent(together, '{:.1f} %')} ({_percent(alone)})")
            rows.append([str(seeds), told_spread(spread), *cells])
    return rows


def power(config: RatesConfig) -> list[list[str]]:
    """How often the one of four settings that is behind is called worse (each for itself)."""
    rows = [["seeds", "spread", *(f"{lag:g} points behind" for lag in BEHIND)]]
    for seeds, spread in POWER:
        cells = []
        for lag in BEHIND:
            rng = np.random.default_rng([config.seed, 1, seeds, int(lag)])
            chances = [CHANCE] * 3 + [CHANCE - lag]
            drawn = [simulated(rng, chances, seeds, config.images, spread) for _ in range(config.sweeps)]
            together = _percent([3 in worse(settings) for settings in drawn])
            cells.append(f"{together} ({_percent([3 in worse_each_for_itself(each) for each in drawn])})")
        rows.append([str(seeds), told_spread(spread), *cells])
    return rows


def effort(config: RatesConfig) -> list[list[str]]:
    """How often one of two settings is called worse, by what is spent; seeds spread by 1.4 points."""
    lags = (2.0, 5.0, 10.0)
    rows = [["seeds x test images", *(f"{lag:g} points behind" for lag in lags)]]
    for seeds, images in EFFORTS:
        cells = []
        for lag in lags:
            rng = np.random.default_rng([config.seed, 3, seeds, images, int(lag)])
            chances = (CHANCE, CHANCE - lag)
            told = [1 in worse(simulated(rng, chances, seeds, images, 1.4)) for _ in range(config.sweeps)]
            cells.append(_percent(told))
        rows.append([f"{seeds} x {images:,}", *cells])
    return rows


def equality(config: RatesConfig) -> list[list[str]]:
    """How often `equal` is said of a setting that is behind by exactly the margin, and of an equal one."""
    titles = ("seeds", "spread", "images", "score", "margin", "behind by the margin", "equal")
    rows = [list(titles)]
    for images, chance, margin in MARGINS:
        for seeds, spread in POWER if chance == CHANCE else ((1, 0.0),):
            cells = []
            for lag in (margin, 0.0):
                rng = np.random.default_rng([config.seed, 2, seeds, images, int(lag)])
                said = 0
                for _ in range(config.sweeps):
                    found = differences(simulated(rng, [chance, chance - lag], seeds, images, spread))
                    said += any(verdict_of(each, margin) == "equal" for each in found.values())
                cells.append(f"{100 * said / config.sweeps:.1f} %")
            rows.append(
                [str(seeds), told_spread(spread), f"{images:,}", f"{chance:g} %", f"{margin:g}", *cells]
            )
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table, its titles first."""
    titles, *others = rows
    lines = [titles, ["---:"] * len(titles), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _percent(happened: Sequence[bool], text: str = "{:.0f} %") -> str:
    return text.format(100 * float(np.mean(happened)))


def told_spread(spread: Spread) -> str:
    """In words."""
    return ", ".join(f"{each:g}" for each in spread) if isinstance(spread, tuple) else f"{spread:g}"


def main(config: RatesConfig) -> int:
    for table in (false_worse, power, effort, equality):
        print((table.__doc__ or "").strip() + "\n\n" + markdown(table(config)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(RatesConfig, description=__doc__)))
