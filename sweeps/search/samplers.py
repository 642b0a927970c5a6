"""What a search has to choose, and the ways to choose it, as Optuna has them."""

import warnings
from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.search.asked import Draw, Sampler
from sweeps.search.domain import Domain

INFEASIBLE = "infeasible"  # a constraint that failed cells alone violate


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


def trial_of(
    domain: Domain,
    draw: Draw,
    state: TrialState,
    *,
    values: Sequence[float] | None = None,
    intermediate: Mapping[int, float] | None = None,
    infeasible: bool = False,
) -> FrozenTrial:
    """A cell as a trial of a study.

    Args:
        domain: that it was drawn from.
        draw: its choices, and what the sampler noted with them.
        state: how far it is.
        values: of the objectives.
        intermediate: of the first objective, by epoch.
        infeasible: whether its settings cannot be trained.
    """
    return create_trial(
        state=state,
        values=values,
        params=dict(draw.params),
        distributions=distributions_of(domain),
        system_attrs=dict(draw.attrs),
        intermediate_values=dict(intermediate or {}),
        constraints={INFEASIBLE: float(infeasible)},
    )
