"""How a sweep fares: from the folders of its trials, also of those that are damaged."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from epropnp.errors import UserError
from epropnp.training.record import STATUS_FILE
from sweeps.commands.find import runs
from sweeps.folder import SWEEP_FILE, Sweep
from sweeps.search.grid import FINAL
from sweeps.trial import Trial, read

AREA = "val/add_area"
State = Literal["running", "interrupted", "finished"]


@dataclass(frozen=True, kw_only=True)
class Damaged:
    """A trial whose folder cannot be read, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class SweepState:
    """How a sweep fares.

    Attributes:
        name: of the sweep.
        state: `interrupted` while trials are left that no process trains; failed ones are not left.
        counts: of trials, by status; `damaged` is one.
        best_area: the highest of any trial and epoch on the validation split, percent.
        changed: when something last happened to it, seconds since 1970.
    """

    name: str
    state: State
    counts: Counter[str]
    best_area: float | None
    changed: float


def trials_of(sweep: Sweep) -> Iterator[Trial | Damaged]:
    """Those that were begun, in the order of their names."""
    for folder in sweep.trial_folders():
        try:
            yield read(folder)
        except UserError as error:
            yield Damaged(name=folder.name, reason=str(error))


def waiting_names(sweep: Sweep) -> list[str]:
    """Of the trials that are planned and have no folder yet."""
    begun = {folder.name for folder in sweep.trial_folders()}
    return [name for name in sweep.planned_names if name not in begun]


def state_of(sweep: Sweep) -> SweepState:
    """Read the folders of a sweep."""
    counts: Counter[str] = Counter(waiting=len(waiting_names(sweep)))
    areas = []
    for trial in trials_of(sweep):
        if isinstance(trial, Damaged):
            counts["damaged"] += 1
            continue
        counts[trial.status] += 1
        areas += [metrics[AREA] for metrics in trial.history if AREA in metrics]
    counts = +counts  # without those of which there is none
    left = any(status not in (*FINAL, "failed") for status in counts)
    state: State = "running" if runs(sweep) else "interrupted" if left or not counts else "finished"
    return SweepState(
        name=sweep.name,
        state=state,
        counts=counts,
        best_area=max(areas, default=None),
        changed=max(map(_changed, _touched(sweep))),
    )


def _touched(sweep: Sweep) -> list[Path]:
    return [sweep.folder / SWEEP_FILE, *(folder / STATUS_FILE for folder in sweep.trial_folders())]


def _changed(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
