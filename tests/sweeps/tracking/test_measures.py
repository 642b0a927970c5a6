"""Which numbers are metrics: few enough, and rounded as people read them."""

import dataclasses

from epropnp.training.result import TrialResult
from sweeps.tracking.measures import MOST_KEYS, of_epoch, scores_of

LATENCIES = 4


def test_a_run_has_at_most_sixty_names_whatever_terms_a_loss_has(result: TrialResult) -> None:
    terms = [f"own{n}" for n in range(40)]
    epoch = {f"train/{kind}_{term}": 1.0 for term in terms for kind in ("loss", "weighted")}
    epoch |= {f"val/{key}": 2.0 for key in result.test}
    tested = {f"score{n}": 1.0 for n in range(16)}
    validated = {"add_area": 1.0, "add_0.10d": 1.0, "5deg5cm": 1.0}
    scores = scores_of(dataclasses.replace(result, test=tested, validation=validated))
    assert len(of_epoch(epoch)) + len(scores) + LATENCIES + len(["epoch"]) <= MOST_KEYS


def test_percent_is_rounded_and_losses_are_not(result: TrialResult) -> None:
    assert of_epoch({"val/add_area": 100 / 3, "train/loss": 1 / 3, "train/weighted_mc": 1.0}) == {
        "val/add_area": 33.3333,
        "train/loss": 1 / 3,
    }
    assert scores_of(result)["test/add_mean3"] == 41.3333
    assert scores_of(None) == {}
