"""How the trials of a sweep are run. What comes out of each does not depend on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sweeps.running.keep import Keep
from sweeps.search.stopping import Rule

RETRIES = 1
AtOnce = int | Literal["auto"]


NOT_REGISTERED = "no"  # in the place of a registered model's name


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run trials.

    Attributes:
        at_once: trials that run at the same time; `auto`: as many as memory is enough for, measured in the
            first updates of each setting; None: as many as cores, or GPUs.
        resources: what each asks of the cluster beside its cores and its share of a GPU, or in their place.
        check: whether each setting does its first updates before the long trials; None: with more than four.
        retries: of a trial whose process broke, without another checkpoint in between.
        figures: whether figures, test images and the page are made at the end.
        keep: weights that stay in the folders of trials that have ended.
        stop: by which rule settings are stopped early; `none`: stopped ones go on; None: neither.
        known: whether results of the same trial in other sweeps beside this one are taken over.
        register: name under which MLflow registers the best network by validation, at the end; empty: after
            the sweep; None: none is.
        hours: that the sweep may run; None: without end.
        hours_in_all: whether those of earlier calls count.
    """

    at_once: AtOnce | None = None
    resources: Mapping[str, float] = field(default_factory=dict)
    check: bool | None = None
    retries: int = RETRIES
    figures: bool = True
    keep: Keep = "all"
    stop: Rule | None = None
    known: bool = True
    register: str | None = None
    hours: float | None = None
    hours_in_all: bool = False
