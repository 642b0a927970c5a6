"""Listeners and a search that write down what they are told, and `run_trials` with them."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sweeps.running.cluster import Share
from sweeps.running.tune import run_trials
from sweeps.search.grid import Grid
from sweeps.search.search import Planned
from sweeps.trial import Trial

SHARE = Share(at_once=3, cpus=5, gpus=0.5)


class Ear:
    """Writes down what it is told; may be told beside others in one list."""

    def __init__(self, heard: list[Any] | None = None, name: str = "") -> None:
        self.heard = [] if heard is None else heard
        self.name = (name,) if name else ()
        self.lock = threading.Lock()  # such as a display has: Ray could not store it

    def started(self, trial: str) -> None:
        self.heard.append((*self.name, "started", trial))

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        self.heard.append((*self.name, "reported", trial, report["epoch"]))

    def paced(self, trial: str, seconds_per_epoch: float) -> None:
        self.heard.append((*self.name, "paced", trial, seconds_per_epoch))

    def retried(self, trial: str) -> None:
        self.heard.append((*self.name, "retried", trial))

    def ended(self, trial: Trial) -> None:
        self.heard.append((*self.name, "ended", trial.name, trial.status, trial.reason))


class Told(Grid):
    """A grid that writes down what it is told."""

    def __init__(self, trials: Sequence[Planned], heard: list[Any]) -> None:
        super().__init__(trials)
        self.heard = heard

    def tell(self, trial: Trial) -> None:
        self.heard.append(("search", "ended", trial.name, trial.status, trial.reason))
        super().tell(trial)


def run(
    search: Any,
    prepare: Callable[[Planned], Path],
    tmp_path: Path,
    listeners: Sequence[Any] = (),
    dataset: Callable[[Planned], str] = lambda trial: "s3://bucket/lm",
    **more: Any,
) -> None:
    run_trials(
        search,
        prepare,
        dataset,
        stop_file=tmp_path / "stop",
        storage=tmp_path / "ray",
        share=SHARE,
        retries=4,
        listeners=listeners,
        **more,
    )
