"""The seam between what decides which trials are run and what runs them."""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from epropnp.evaluation.table import Table
from epropnp.training.config import TrialConfig
from epropnp.training.identity import trial_hash
from sweeps.build_settings import Build
from sweeps.search.asked import Asked
from sweeps.trial import Trial


class OfSetting(Protocol):
    """A trial, or what is told of one."""

    @property
    def config(self) -> TrialConfig:
        """Of the trial, with its seed."""

    @property
    def dataset_id(self) -> str:
        """Of its data."""


T = TypeVar("T", bound=OfSetting)


def setting_of(config: TrialConfig, dataset_id: str) -> tuple[TrialConfig, str]:
    """What the seeds of a setting share: all of the config but for the seed, and the dataset."""
    return dataclasses.replace(config, seed=0), dataset_id


def by_setting(trials: Iterable[T]) -> dict[tuple[TrialConfig, str], list[T]]:
    """Trials, or rows of them, by what their seeds share, in the order of the first of each."""
    settings: dict[tuple[TrialConfig, str], list[T]] = {}
    for each in trials:
        settings.setdefault(setting_of(each.config, each.dataset_id), []).append(each)
    return settings


def setting_key(config: TrialConfig, dataset_id: str) -> str:
    """Twelve hex digits that trials share whose settings say the same, whatever their seed."""
    return trial_hash(*setting_of(config, dataset_id))


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A trial to be.

    Attributes:
        name: of its folder.
        config: of its training.
        dataset_id: what it is trained on.
        case: that it is of, if there are cases.
        build: settings of its data.
        asked: why it is to be, where a search has drawn it.
        label: what a search calls it, where its name alone would tell little.
    """

    name: str
    config: TrialConfig
    dataset_id: str
    case: str | None = None
    build: Build = ()
    asked: Asked | None = None
    label: str | None = None

    @property
    def hash(self) -> str:
        """Of what is trained on what."""
        return trial_hash(self.config, self.dataset_id)

    @property
    def setting(self) -> tuple[TrialConfig, str]:
        """What its seeds share."""
        return setting_of(self.config, self.dataset_id)


class Search(Protocol):
    """Decides from what it is told, and from nothing else: trial folders are all that is remembered."""

    @property
    def planned(self) -> Sequence[Planned]:
        """The trials that are known to be a part of it, in their order; there may be more later."""

    @property
    def total(self) -> int:
        """How many there will be, as far as one knows."""

    @property
    def remarks(self) -> Sequence[str]:
        """What there is to say of it by now, a line each."""

    def files(self) -> Mapping[str, Callable[[Path], None]]:
        """What it can show of itself: names of files, and what makes them."""

    def tables(self) -> Sequence[Table]:
        """What it found, shown before all else."""

    @property
    def infeasible(self) -> Collection[str]:
        """Trials whose failure is an answer to it: their settings are at fault, and it asks for others."""

    @property
    def done(self) -> bool:
        """Whether nothing will be asked any more."""

    def ask(self) -> Planned | None:
        """The next trial to run; None while others must end first."""

    def tell(self, trial: Trial) -> None:
        """A trial ended, however it did; when a sweep is gone on with, once for every folder."""
