"""Early stopping: pure functions of recorded histories, driven by epochs and validation alone.

A setting is judged by the mean over those of its seeds that have come so far, and never by test images.
"""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

Rule = Literal["asha", "median", "none"]
RULES = get_args(Rule)
Curve = Sequence[float]  # of one seed: the score after epochs 0, 1, ...; more is better
FACTOR = 3  # of those that come to a rung, one in so many goes on
EARLIEST = 9  # a rung or a median is looked at from this part of the training on
OTHERS: Mapping[Rule, int] = {"asha": 1, "median": 3}  # settings, below which a comparison says nothing


def rungs(epochs: int) -> list[int]:
    """The epochs at which settings are compared: a ninth and a third of the training."""
    count = round(math.log(EARLIEST, FACTOR))
    found = {math.ceil(epochs / FACTOR**k) for k in range(count, 0, -1)}
    return sorted(rung for rung in found if rung < epochs)


def judged(rule: Rule, epochs: int) -> Sequence[int]:
    """The epochs of a training after which a rule may stop it."""
    if rule == "asha":
        return rungs(epochs)
    return range(math.ceil(epochs / EARLIEST), epochs) if rule == "median" else ()


def why_idle(rule: Rule, epochs: Collection[int], settings: int) -> str | None:
    """Why a rule can stop nothing at all; None where it can.

    Args:
        rule: not `none`.
        epochs: of the trainings.
        settings: that are compared with each other.
    """
    if not any(judged(rule, each) for each in epochs):
        return f"with {max(epochs)} epoch{'s' * (max(epochs) > 1)} it has nothing to judge before the last"
    least = OTHERS[rule]
    if settings > least:
        return None
    others = "another one" if least == 1 else f"at least {least} others"
    return (
        f"it compares a setting with {others}, and there {'is' if settings == 1 else 'are'} {settings} in all"
    )


def why_stopped(
    rule: Rule, setting: str, curves: Mapping[str, Sequence[Curve]], epoch: int, epochs: int
) -> str | None:
    """Why a setting is to be stopped after an epoch; None: it goes on.

    Args:
        rule: `asha`, asynchronous successive halving in its stopping form (Li et al. 2020): at each rung it
            must be among the best third of what has come there; `median` (Golovin et al. 2017): its best
            score so far must not lie below the median of the others' means up to there.
        setting: one of `curves`.
        curves: of all settings, one for each seed that has begun.
        epoch: that a seed of it has just ended.
        epochs: of the whole training.
    """
    if epoch not in judged(rule, epochs):
        return None
    own = mean_at(curves[setting], epoch)
    if own is None:
        return None
    reached = (mean_at(each, epoch) for name, each in curves.items() if name != setting)
    others = [value for value in reached if value is not None]
    if rule == "asha":
        return _below_the_best(own, others, epoch)
    best = max(value for e in range(epoch + 1) if (value := mean_at(curves[setting], e)) is not None)
    return _below_the_median(best, others, epoch)


def mean_at(seeds: Sequence[Curve], epoch: int) -> float | None:
    """Of the seeds that have come so far; None where none has."""
    values = [curve[epoch] for curve in seeds if len(curve) > epoch]
    return statistics.fmean(values) if values else None


def _below_the_best(own: float, others: Sequence[float], epoch: int) -> str | None:
    count = len(others) + 1
    kept = math.ceil(count / FACTOR)
    if sum(value > own for value in others) < kept:
        return None
    bound = f"{sorted(others, reverse=True)[kept - 1]:.2f}, which the best {kept} of {count} settings have"
    return f"asha: {own:.2f} after epoch {epoch} is below {bound}"


def _below_the_median(best: float, others: Sequence[float], epoch: int) -> str | None:
    if len(others) < OTHERS["median"]:
        return None
    median = statistics.median(others)
    if best >= median:
        return None
    rivals = f"{median:.2f}, the median of {len(others)} other settings"
    return f"median: {best:.2f} up to epoch {epoch} is below {rivals}"
