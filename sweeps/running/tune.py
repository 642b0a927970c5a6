"""Runs the trials that a search asks for on Ray Tune, one process each, and tells how they end."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from epropnp.errors import UserError
from epropnp.training.record import Record, note_failure
from sweeps.running.cluster import Share
from sweeps.running.keep import Keep
from sweeps.running.listener import Listener
from sweeps.running.worker import run_trial, trial_spec
from sweeps.search.search import Planned, Search
from sweeps.trial import one_line, read


def run_trials(
    search: Search,
    prepare: Callable[[Planned], Path],
    dataset: Callable[[Planned], str],
    *,
    stop_file: Path,
    storage: Path,
    share: Share,
    retries: int,
    listeners: Sequence[Listener],
    updates: int | None = None,
    keep: Keep = "all",
) -> None:
    """Run trials until the search is done; how each ended stands in its folder. Ray is started already.

    A failed trial does not stop the others.

    Args:
        search: says which; it is told of each that ended.
        prepare: makes the folder of a trial.
        dataset: folder or URI of a trial's.
        stop_file: while it is there, running trials are interrupted and no other one starts.
        storage: folder for Ray Tune's own records.
        share: how many run at once, and what each may use.
        retries: of a trial whose process broke.
        listeners: told in their order, before the search.
        updates: after which each trial is interrupted; None: train to the end.
        keep: weights that stay in the folder of each that has ended.
    """

    def spec(planned: Planned) -> dict[str, Any]:
        folder = prepare(planned)
        return trial_spec(planned.name, planned.config, dataset(planned), folder, stop_file, updates, keep)

    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures stand in the table
    tuner = tune.Tuner(
        tune.with_resources(run_trial, {"cpu": share.cpus, "gpu": share.gpus}),
        tune_config=tune.TuneConfig(
            search_alg=_Asking(search, spec, stop_file),
            num_samples=-1,  # as many as are asked for
            max_concurrent_trials=share.at_once,
            reuse_actors=True,  # a fresh process imports torch and timm again: 6 s
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(storage),
            failure_config=tune.FailureConfig(max_failures=retries),
            callbacks=[_Relay([*listeners, _Told(search)])],
            verbose=0,
            log_to_file=True,
        ),
    )
    tuner.fit()


class _Asking(Searcher):  # type: ignore[misc, unused-ignore]
    """The search, as Ray Tune asks for trials; Tune remembers nothing of it, folders do."""

    def __init__(self, search: Search, spec: Callable[[Planned], dict[str, Any]], stop_file: Path) -> None:
        super().__init__()
        self._search, self._spec, self._stop_file = search, spec, stop_file

    def __getstate__(self) -> dict[str, Any]:
        """Ray stores its search; what prepares trials, which holds terminals and connections, cannot be."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._search.done or self._stop_file.exists():
            return str(Searcher.FINISHED)
        planned = self._search.ask()
        return None if planned is None else {"trial": self._spec(planned)}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The search is told with the other listeners."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: see the class."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see the class."""


class _Told:
    """The search as a listener."""

    def __init__(self, search: Search) -> None:
        self.ended = search.tell

    def started(self, trial: str) -> None: ...

    def reported(self, trial: str, report: dict[str, Any]) -> None: ...

    def paced(self, trial: str, seconds_per_epoch: float) -> None: ...

    def retried(self, trial: str) -> None: ...


class _Relay(TrialProgressCallback):  # type: ignore[misc, unused-ignore]
    """From Ray Tune's events to those of listeners; of the kind that replaces Tune's own reporter."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._before: dict[str, Record | None] = {}  # what folders said when a process of theirs began

    def __getstate__(self) -> dict[str, Any]:
        """Ray stores its callbacks; listeners, which hold terminals and connections, cannot be stored."""
        return {"_listeners": (), "_before": {}}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._before[_trial_name(trial)] = Record.read(_trial_folder(trial))
        for listener in self._listeners:
            listener.started(_trial_name(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        for listener in self._listeners:
            if "metrics" in result:
                listener.reported(_trial_name(trial), result)
            if "seconds_per_epoch" in result:
                listener.paced(_trial_name(trial), result["seconds_per_epoch"])

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        for listener in self._listeners:
            listener.retried(_trial_name(trial))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._ended(trial, (trial.last_result or {}).get("failed"))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error() or "its process ended"
        self._ended(trial, one_line(error))

    def _ended(self, trial: Any, failure: str | None) -> None:
        """Tell how it ended; where its process could not say so itself, note it first."""
        folder = _trial_folder(trial)
        ended = read(folder)
        silent = ended.record == self._before.get(_trial_name(trial))  # a failure there is an earlier one
        untold = ended.status == "waiting" or (ended.status == "failed" and silent)
        if failure is not None and untold:
            try:
                note_failure(folder, failure)
            except UserError as error:
                logging.getLogger(__name__).warning("%s", error)
            ended = read(folder)
        for listener in self._listeners:
            listener.ended(ended)


def _trial_name(trial: Any) -> str:
    return str(trial.config["trial"]["name"])


def _trial_folder(trial: Any) -> Path:
    return Path(trial.config["trial"]["folder"])
