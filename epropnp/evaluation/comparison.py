"""Which of several settings scores best, by how much, and whether that can be told apart from chance.

`mean_interval` says what a setting scores, `differences` how far it is behind the best one, with intervals
that hold for all settings together: of settings that are equal in truth any is called `worse`, and of one
that is behind by the margin `equal` is said, in about 5 % of all sweeps at most, however many settings there
are (docs/comparing.md).

A setting with one seed is never told from a best one with several: nothing of its own says how lucky it was.
One that lacks seeds stands below those that do not, and is told from none: which of them are there may be no
chance. Where all settings score the same, or 0, none is best.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from epropnp.errors import UserError
from epropnp.evaluation.by_object import average, images_by_object
from epropnp.evaluation.differences import Difference, differences_to_first
from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.flips import Flips, flips
from epropnp.evaluation.mean_interval import mean_estimates
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.thresholds import MARGIN

Verdict = Literal["best", "worse", "equal", "not distinguishable"]
BEST: Verdict = "best"
NOT_TOLD: Verdict = "not distinguishable"
SAME = 1e-9  # percent: what sums of the same hits, in another order, may differ by
ITSELF = Difference(estimate=Estimate(0.0, 0.0, 0.0), least_margin=0.0, seed_share=0.0)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One setting among others, in percent.

    Attributes:
        name: of the setting.
        seeds: score of each of its trials.
        mean: over seeds and images; its interval stands for itself.
        spread: standard deviation between the seeds; None for one seed.
        difference: to the best setting, paired over images; negative where it scores less. The intervals
            of all settings hold together.
        verdict: `worse` where the interval of the difference lies below 0; else `equal` where the difference
            is shown to be less than the margin.
        flips: images that this one gets right and the best does not, and the reverse; None for the best one,
            and where no hits are known.
    """

    name: str
    seeds: tuple[float, ...]
    mean: Estimate
    spread: float | None
    difference: Estimate
    verdict: Verdict
    flips: Flips | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Settings, and what their images and seeds could tell apart.

    Attributes:
        settings: the best first; of equals, the earlier; last those that lack seeds.
        margin: within which differences are called equal, in points.
        least_margin: the smallest within which any setting could have been shown to be equal to the best;
            None where no two can be compared.
        seed_share: part of the squared standard error of that comparison that seeds make up; images the rest.
    """

    settings: tuple[Compared, ...]
    margin: float
    least_margin: float | None
    seed_share: float

    @property
    def tied(self) -> bool:
        """Whether there are several settings and none of them is best: all score the same."""
        return len(self.settings) > 1 and self.settings[0].verdict != BEST

    def words(self, setting: Compared) -> str:
        """Its verdict, such as `equal within 5`."""
        return f"equal within {self.margin:g}" if setting.verdict == "equal" else setting.verdict


def compare(
    trials: Mapping[str, Array],
    object_id: Array,
    *,
    hits: Mapping[str, Array] | None = None,
    lacking: Collection[str] = (),
    margin: float = MARGIN,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Compare settings on one score; see the module for the method.

    Args:
        trials: by setting, what every image counts in each of its trials, 0 to 100, (S, n); S may differ.
        object_id: of each image, (n,).
        hits: by setting, above 0 for every image that a trial gets right, (S, n); they are counted as flips.
        lacking: settings of which some seeds have no result; they count as others, where all do.
        margin: differences of less points are called equal, if that can be shown.
        resamples: number of draws, for the intervals of the means.
        level: probability of the intervals: each of a mean, all differences together.
        seed: of the draws.

    Raises:
        UserError: a setting was not tested on n images.
    """
    for name, values in trials.items():
        if values.shape[1:] != object_id.shape or not values.size:
            raise UserError(f"{name}: scores of shape {values.shape}, not (seeds, {len(object_id)} images)")
    objects = images_by_object(object_id)
    scores = {name: average(values, objects) for name, values in trials.items()}  # (S,) each
    below = set(lacking) if set(lacking) < scores.keys() else set()
    order = sorted(scores, key=lambda name: (name in below, -scores[name].mean()))
    best = order[0]
    found = [ITSELF, *differences_to_first([trials[name] for name in order], objects, level)]
    differences = dict(zip(order, found, strict=True))
    told = [n for n in order[1:] if n not in below and (len(scores[n]) > 1 or len(scores[best]) == 1)]
    verdicts = {name: verdict_of(differences[name], margin) for name in told}
    verdicts[best] = verdicts.get(order[-1], NOT_TOLD) if _all_same(scores) else BEST
    means = mean_estimates(trials, objects, resamples, level, seed)
    rows = [
        Compared(
            name=name,
            seeds=tuple(scores[name].tolist()),
            mean=means[name],
            spread=float(scores[name].std(ddof=1)) if len(scores[name]) > 1 else None,
            difference=differences[name].estimate,
            verdict=verdicts.get(name, NOT_TOLD) if means[best].value else NOT_TOLD,
            flips=flips(hits[name], hits[best]) if hits and name != best else None,
        )
        for name in order
    ]
    least = min((differences[name] for name in told), key=lambda each: each.least_margin, default=None)
    return Comparison(
        settings=tuple(rows),
        margin=margin,
        least_margin=least.least_margin if least else None,
        seed_share=least.seed_share if least else 0.0,
    )


def _all_same(scores: Mapping[str, Array]) -> bool:
    """Whether there are several settings, whose means are the same."""
    means = [values.mean() for values in scores.values()]
    return len(means) > 1 and max(means) - min(means) < SAME


def verdict_of(difference: Difference, margin: float) -> Verdict:
    """What a difference to the best setting says."""
    if difference.estimate.high < 0:
        return "worse"
    if abs(difference.estimate.value) + difference.least_margin < margin:
        return "equal"
    return NOT_TOLD
