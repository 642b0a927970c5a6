"""Fair searches of a bench: as a call of a sweep begins them, and to which end their trials are."""

from collections.abc import Callable, Sequence
from typing import Any

from sweeps.search.fair import Fair
from sweeps.search.search import Planned, Search
from sweeps.search.searching import Searching
from sweeps.trial import Trial, read
from tests.sweeps.cells import space
from tests.sweeps.search.bench import Bench
from tests.sweeps.search.domains import IDS, domain_of

RATES = "optim.lr=1e-5:1e-1:log"
BACKBONES = ("test_resnet", "test_convnext")
AXIS = "model.backbone"


def searching(bench: Bench, *texts: str, seeds: Sequence[int] = (0,), **more: Any) -> Searching:
    domain = domain_of(space(bench.recipe, backbones=BACKBONES, seeds=seeds), *(texts or (RATES,)))
    return Searching(domain=domain, **{"cells": 4, "sampler": "tpe", "per": AXIS, "confirm": 2, **more})


def fair(
    bench: Bench, *texts: str, around: Callable[[Search], Search] = lambda each: each, **more: Any
) -> Fair:
    """As a call of the sweep begins: all folders are told."""
    found = searching(bench, *texts, **more).search(bench.sweep, IDS, around)
    assert isinstance(found, Fair)
    for trial in bench.sweep.trials():
        found.tell(trial)
    return found


def run(bench: Bench, search: Fair, trials: int = 100) -> list[Planned]:
    """One trial after the other; so many, or to the end."""
    found = []
    while not search.done and trials:
        trial = search.ask()
        assert trial is not None
        found.append(trial)
        bench.end(trial)
        search.tell(read(bench.sweep.trial_folder(trial.name)))
        trials -= 1
    return found


def split(trials: Sequence[Planned], seeds: Sequence[int] = (0,)) -> tuple[list[Planned], list[Planned]]:
    """Those of the searches, and those of the confirmation."""
    searched = [trial for trial in trials if trial.config.seed in seeds]
    return searched, [trial for trial in trials if trial.config.seed not in seeds]


def backbone(trial: Planned | Trial) -> str:
    return trial.config.model.backbone
