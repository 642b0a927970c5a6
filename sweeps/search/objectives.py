"""What a search is to make large, or small: scores on all validation images, and what a network costs."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from epropnp.errors import UserError, nearest
from epropnp.training.result import TrialResult, validation_scores
from sweeps.trial import Trial

USUAL = "val/add_area"


def _gflops(trial: Trial, result: TrialResult) -> float:
    from sweeps.describe import gflops  # brings torch

    return gflops(trial.config.model)


SCORES = tuple(  # of `image_scores`, which takes long to import
    f"val/{name}"
    for name in (
        *("add_0.02d", "add_0.05d", "add_0.10d", "add_mean3", "add_area", "add_auc_10cm"),
        *("2deg2cm", "5deg5cm", "10deg10cm", "degcm_mean_1_10"),
        *("proj_2px", "proj_5px", "proj_10px", "proj_20px", "mssd_ar", "mspd_ar"),
    )
)
COSTS: dict[str, Callable[[Trial, TrialResult], float]] = {
    "gflops": _gflops,
    "parameters": lambda trial, result: float(result.parameters),
    "seconds": lambda trial, result: result.seconds,
}


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One number of a finished trial.

    Attributes:
        name: `val/` and a score, or a cost.
        least: whether less is better.
    """

    name: str
    least: bool

    @property
    def score(self) -> str:
        """Its name among the scores of images; that of a cost is none."""
        return self.name.removeprefix("val/")

    def value(self, trial: Trial) -> float:
        """Of a finished trial. UserError where it has no such score."""
        result = trial.result
        assert result is not None
        if self.name in COSTS:
            return COSTS[self.name](trial, result)
        score, scores = self.score, result.validated
        if score not in scores:
            raise UserError(
                f"--objectives: unknown score '{self.name}'{nearest(score, scores)}; there are "
                f"{', '.join(f'val/{each}' for each in scores)}, {', '.join(COSTS)}"
            )
        return scores[score]

    def intermediate(self, trial: Trial) -> dict[int, float]:
        """Of each epoch so far, where epochs have one: on fewer validation images than `value`."""
        name = self.score
        scores = [validation_scores(metrics) for metrics in trial.history]
        return {epoch: each[name] for epoch, each in enumerate(scores) if name in each}


def objectives_of(text: str) -> list[Objective]:
    """From a list with commas: a minus sign makes less of it better, as of each cost.

    Raises:
        UserError: neither a score on validation images nor a cost, or one that is given twice.
    """
    found: dict[str, Objective] = {}
    for given in text.split(","):
        name = given.removeprefix("-")
        if name in found:
            raise UserError(f"--objectives: {name} is given twice")
        if not name.startswith("val/") and name not in COSTS:
            costs = ", ".join(f"-{cost}" for cost in COSTS)
            hint = nearest(name, COSTS) or "; test images are for the end"
            raise UserError(f"--objectives: '{given}' is neither val/SCORE nor one of {costs}{hint}")
        if name in COSTS and given == name:
            raise UserError(f"--objectives: less of {name} is better: -{name}")
        if name not in (*COSTS, *SCORES):
            raise UserError(f"--objectives: {name} is no score{nearest(name, SCORES)}")
        found[name] = Objective(name=name, least=given.startswith("-"))
    return list(found.values())


def unbeaten(values: Mapping[int, Sequence[float]], objectives: Sequence[Objective]) -> set[int]:
    """Numbers of those that none beats in one objective without falling behind in another."""
    signs = [-1 if each.least else 1 for each in objectives]
    points = {n: [s * v for s, v in zip(signs, each, strict=True)] for n, each in values.items()}
    return {
        number
        for number, own in points.items()
        if not any(o != own and all(map(operator.ge, o, own)) for o in points.values())
    }
