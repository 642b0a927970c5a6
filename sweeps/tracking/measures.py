"""Which numbers of a trial become metrics of its run: at most 60 names, more is in tables and files.

Where the UI compares runs it shows at first the metric that comes first by the alphabet: names of what is no
score begin with later letters than `test/`.
"""

from collections.abc import Mapping

from epropnp.training.result import TrialResult

MOST_KEYS = 60  # of a run
# Of an epoch: what test scores, costs and `epoch` itself leave of them, with room for scores of one's own.
MOST_OF_EPOCH = 32
PERCENT = ("val/", "test/", "validation/")
DIGITS = 4  # of what is percent
VALIDATED = ("add_area", "add_0.10d", "5deg5cm")  # of the tested weights on all validation images
# What follows from others: the terms of the loss times their weights, and the neighbours of other thresholds.
LEFT_OUT = "train/weighted_"
NEIGHBOURS = tuple(
    f"val/{key}"
    for key in ("add_mean3", "2deg2cm", "10deg10cm", "proj_2px", "proj_10px", "proj_20px", "mssd_ar")
)


def of_epoch(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of an epoch that are logged; `status.json` has all."""
    kept = [key for key in metrics if not key.startswith(LEFT_OUT) and key not in NEIGHBOURS]
    return rounded({key: metrics[key] for key in kept[:MOST_OF_EPOCH]})


def scores_of(result: TrialResult | None) -> dict[str, float]:
    """On the test split, and on all validation images."""
    if result is None:
        return {}
    found = result.validation
    validated = {f"validation/{key}": found[key] for key in VALIDATED if key in found}
    return rounded({f"test/{key}": value for key, value in result.test.items()} | validated)


def rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    """Percent as people read it."""
    return {
        key: round(value, DIGITS) if key.startswith(PERCENT) and isinstance(value, float) else value
        for key, value in metrics.items()
    }
