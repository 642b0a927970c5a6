"""The runs of a sweep in MLflow, by trial: found by their tags, restored from the trash, or created."""

import contextlib
import getpass
import logging
from typing import Any

from sweeps.tracking.events import PARENT
from sweeps.tracking.experiment import EXPERIMENT

SWEEP_TAG = "epropnp.sweep_id"
TRIAL_TAG = "epropnp.trial"
PARENT_TAG = "mlflow.parentRunId"
OWED_TAG = "epropnp.incomplete"  # the run is being written from the folder of its trial
SOURCE = "epropnp-sweeps"
NO_TRIAL = "-"  # value of TRIAL_TAG of the parent
RUNS_PER_PAGE = 1000
log = logging.getLogger(__name__)


def of_sweep(sweep_id: str) -> str:
    """A query for all runs of a sweep."""
    return f"tags.`{SWEEP_TAG}` = '{sweep_id}'"


def all_runs(client: Any, experiment: str, query: str, kind: int) -> list[Any]:
    """The runs of an experiment that a query finds, page by page; `kind` is one of MLflow's `ViewType`."""
    found, token = [], None
    while True:
        page = client.search_runs([experiment], query, kind, RUNS_PER_PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


class RunIndex:
    """Ids of runs.

    Args:
        client: of MLflow.
        experiment: id of the experiment that holds them.
        sweep_id, sweep_name: of the sweep.

    Attributes:
        owed: trials whose runs are new, and lack what was said before.
    """

    def __init__(self, client: Any, experiment: str, sweep_id: str, sweep_name: str) -> None:
        self.owed: set[str] = set()
        self._client, self._experiment = client, experiment
        self._sweep_id, self._sweep_name = sweep_id, sweep_name
        self._ids: dict[str, str] = {}
        self._unused: dict[str, Any] | None = None  # runs that MLflow had before, and were not asked for yet
        self._told: set[str] = set()

    def id_of(self, trial: str, begins: bool, time_ms: int) -> str:
        """Run id of a trial, or the parent's for `PARENT`.

        Args:
            trial: its name.
            begins: whether it is expected that there is none yet.
            time_ms: when a run begins that is created.
        """
        if trial not in self._ids:
            if self._unused is None:
                self._unused = self.by_trial()
            found = self._unused.pop(trial, None)
            if found is None:
                self._create(trial, begins, time_ms)
            else:
                self._restore(found, trial)
                self._ids[trial] = found.info.run_id
                if OWED_TAG in found.data.tags:
                    self.owed.add(trial)
        return self._ids[trial]

    def by_trial(self) -> dict[str, Any]:
        """The runs of the trials, and of the sweep itself (`PARENT`), that MLflow has, also in the trash."""
        from mlflow.entities import ViewType

        runs = all_runs(self._client, self._experiment, of_sweep(self._sweep_id), ViewType.ALL)
        found: dict[str, Any] = {}
        for run in sorted(runs, key=lambda run: run.info.lifecycle_stage == "deleted"):
            trial = run.data.tags.get(TRIAL_TAG, NO_TRIAL)
            found.setdefault(PARENT if trial == NO_TRIAL else trial, run)
        return found

    def settled(self, trial: str) -> None:
        """What was said before is in its run now."""
        self.owed.discard(trial)
        self._client.delete_tag(self._ids[trial], OWED_TAG)

    def mend(self, trial: str) -> None:
        """Restore the run of a trial, and its parent, from the trash, or forget that there are such runs."""
        from mlflow.exceptions import MlflowException

        for name in {trial, PARENT} & self._ids.keys():
            try:
                self._restore(self._client.get_run(self._ids[name]), name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                del self._ids[name]
                self._unused = None

    def _restore(self, run: Any, trial: str) -> None:
        if run.info.lifecycle_stage == "deleted":
            self._client.restore_run(run.info.run_id)
            self._say_once("restored", f"the run of {trial or self._sweep_name} was deleted: it is restored")

    def _create(self, trial: str, begins: bool, time_ms: int) -> None:
        tags = {SWEEP_TAG: self._sweep_id, TRIAL_TAG: trial or NO_TRIAL}
        tags |= _source()
        if trial != PARENT:
            tags[PARENT_TAG] = self.id_of(PARENT, begins, time_ms)
        if not begins:
            tags[OWED_TAG] = "true"
            name = trial or self._sweep_name
            self._say_once("purged", f"no run of {name} is there: it is written from the sweep's folder")
        run = self._client.create_run(
            self._experiment, time_ms, tags=tags, run_name=trial or self._sweep_name
        )
        self._ids[trial] = str(run.info.run_id)
        if not begins:
            self.owed.add(trial)
        if trial == PARENT:
            for child, own in (self._unused or {}).items():  # of a parent that was purged
                if child != PARENT and own.info.lifecycle_stage == "active":
                    self._client.set_tag(own.info.run_id, PARENT_TAG, run.info.run_id)

    def _say_once(self, kind: str, text: str) -> None:
        if kind not in self._told:
            log.warning("MLflow's experiment '%s': %s (said once: others may follow)", EXPERIMENT, text)
        self._told.add(kind)


def _source() -> dict[str, str]:
    """Who records, and by what: MLflow's own columns."""
    found = {"mlflow.source.name": SOURCE, "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(OSError, KeyError, ImportError):  # a container's user has no name
        found["mlflow.user"] = getpass.getuser()
    return found
