"""What a search has to choose, and the ways to choose it, as Optuna has them."""

import warnings

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from sweeps.search.asked import Sampler
from sweeps.search.domain import Domain


def distributions_of(domain: Domain) -> dict[str, BaseDistribution]:
    """What there is to draw, as Optuna has it."""
    found: dict[str, BaseDistribution] = {
        name: CategoricalDistribution(t) for name, t in domain.texts.items()
    }
    for key, each in domain.ranges.items():
        kind = IntDistribution if each.whole else FloatDistribution
        step = each.step if each.step is not None or not each.whole else 1
        found[key] = kind(each.low, each.high, log=each.log, step=step)
    return found


def sampler_of(name: Sampler, seed: int, cells: int) -> optuna.samplers.BaseSampler:
    """A sampler for one draw; the first quarter of the cells, up to ten, is drawn at random."""
    startup = min(10, max(4, cells // 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match name:
            case "random":
                return optuna.samplers.RandomSampler(seed)
            case "tpe":
                return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup, constant_liar=True)
            case "gp":
                return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup)
            case "nsga":
                return optuna.samplers.NSGAIISampler(seed=seed, population_size=startup)
