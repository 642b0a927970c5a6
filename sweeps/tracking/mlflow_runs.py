"""Carries events out in MLflow: one parent run of a sweep, one nested child per trial, found again on resume.

What others did to the records meanwhile is mended: what is in the trash is restored, and what was purged is
written again from the folders of trials.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from epropnp.credentials import without_credentials
from epropnp.errors import first_line
from sweeps.tracking.events import COMMAND_TAG, FLAG, PARENT, TEXT_CHARACTERS, Event, RefusedError
from sweeps.tracking.experiment import connected, open_experiment
from sweeps.tracking.measures import DIGITS
from sweeps.tracking.run_files import RunFiles, is_connection
from sweeps.tracking.run_index import RunIndex
from sweeps.tracking.run_inputs import log_inputs
from sweeps.tracking.views import share

REASON_TAG = "epropnp.reason"  # why a run failed, or was stopped or interrupted
LEFT_OUT_TAG = "epropnp.left_out"  # the newest record that cannot be stored, and why

EPOCH = "time/epoch"  # metric; like all that are no score its name stands behind `test/`: see `measures`
LATENCY_TAG = "epropnp.latency"  # on what the milliseconds `time/...` were measured

PARAMS_PER_BATCH = TAGS_PER_BATCH = 100  # MLflow's limits
METRICS_PER_BATCH = 1000
PARAM_CHARACTERS = 6000
PATIENCE_SECONDS = 60.0  # with a record that fails while others are taken
REFUSED = "INVALID_PARAMETER_VALUE"
AMISS = (REFUSED, "INVALID_STATE", "RESOURCE_DOES_NOT_EXIST")  # also what is said of what was deleted
log = logging.getLogger(__name__)


class MlflowRuns:
    """The runs of one sweep.

    Args:
        uri: of the tracking server, or `sqlite:///PATH`.
        sweep_id: never used by another sweep; by it a resumed sweep finds its runs.
        sweep_name: how the parent run is called.
        root: the sweep's folder, from which files are named.
        artifacts: where artifacts go when `uri` is a local database; a server decides for itself.
        facts: all that there is to say of a trial, by its name.
    """

    def __init__(
        self,
        *,
        uri: str,
        sweep_id: str,
        sweep_name: str,
        root: Path,
        artifacts: Path | None,
        facts: Callable[[str], Sequence[Event]],
    ) -> None:
        self._logged: dict[str, int] = {}  # run id -> newest epoch that MLflow has
        self._uri, self._sweep = uri, (sweep_id, sweep_name)
        self._root, self._artifacts, self._facts = root, artifacts, facts
        self._client: Any = None
        self._experiment = ""
        self._index: Any = None  # a RunIndex, and RunFiles, once there is a client
        self._files: Any = None
        self._seen: set[str] = set()  # trials of which something was said
        self._parent_start: Event | None = None
        self._failed: tuple[Any, ...] | None = None  # the event that fails
        self._failing_since_s = 0.0

    def carry(self, event: Event) -> None:
        """Carry an event out; see `Carrier`."""
        which = event["kind"], event["trial"], event["time_ms"], event.get("epoch")
        if which != self._failed:
            self._failed, self._failing_since_s = which, time.monotonic()
        self._connect()
        try:
            self._mend_and_do(event)
        except Exception as error:
            self._judge(event, error)
            raise
        self._failed = None
        self._seen.add(event["trial"])

    def run_of(self, trial: str) -> Any:
        """The run of a trial, or of the sweep itself (`PARENT`), as MLflow has it now; None for none."""
        self._connect()
        return self._index.by_trial().get(trial)

    def _connect(self) -> None:
        if self._client is None:
            client = connected(self._uri, self._artifacts)
            self._open(client)
            self._files = RunFiles(client, self._root)
            self._client = client

    def _open(self, client: Any) -> None:
        """Look for the experiment, also for another one than before."""
        experiment = open_experiment(client, self._artifacts)
        if experiment != self._experiment:
            self._experiment = experiment
            self._index = RunIndex(client, experiment, *self._sweep)

    def _mend_and_do(self, event: Event) -> None:
        try:
            self._do(event)
        except Exception as error:
            if getattr(error, "error_code", "") not in AMISS:
                raise
            self._open(self._client)
            self._index.mend(event["trial"])
            self._do(event)

    def _tell(self, fact: Event) -> None:
        """Carry out what a folder says; that one fact is refused keeps no other out."""
        try:
            self._mend_and_do(fact)
        except Exception as error:
            if getattr(error, "error_code", "") != REFUSED:
                raise
            reason = without_credentials(first_line(error))
            log.warning("MLflow refused a record, it is left out: %s", reason)

    def _do(self, event: Event) -> None:
        trial = event["trial"]
        run_id = self._index.id_of(trial, event["kind"] == "start", event["time_ms"])
        for name in [name for name in (PARENT, trial) if name in self._index.owed]:
            self._settle(name)
        getattr(self, f"_on_{event['kind']}")(run_id, event)

    def _settle(self, trial: str) -> None:
        """Write into a run that is new all that was said before."""
        self._index.owed.discard(trial)
        start = [] if self._parent_start is None else [self._parent_start]
        try:
            for fact in start if trial == PARENT else self._facts(trial):
                self._tell(fact)
        except Exception:
            self._index.owed.add(trial)
            raise
        self._index.settled(trial)

    def _judge(self, event: Event, error: Exception) -> None:
        """RefusedError where an event will never be taken, though others are."""
        reason = without_credentials(first_line(error))
        if getattr(error, "error_code", "") == REFUSED:
            raise RefusedError(reason) from error
        if self._is_patient() or is_connection(error):
            return
        text = f"{event['kind']} of {event['trial'] or 'the sweep'} at {event['time_ms']}: {reason}"
        try:
            parent = self._index.id_of(PARENT, True, event["time_ms"])
            self._client.set_tag(parent, LEFT_OUT_TAG, text[:TEXT_CHARACTERS])
        except Exception:  # nothing at all is taken: an outage
            return
        raise RefusedError(reason) from error

    def _is_patient(self) -> bool:
        return time.monotonic() - self._failing_since_s < PATIENCE_SECONDS

    def _on_start(self, run_id: str, event: Event) -> None:
        run = self._client.get_run(run_id)
        self._logged.setdefault(run_id, _newest_epoch(run))
        if run.info.status != "RUNNING" or run.info.end_time:
            self._update(run_id, "RUNNING", 0)
        self._set_tags(
            run, event.get("tags", {}) | {REASON_TAG: ""}
        )  # that of an earlier end, which was none
        from mlflow.entities import Param

        known, given = run.data.params, event["params"]
        params = [Param(key, value[:PARAM_CHARACTERS]) for key, value in given.items() if key not in known]
        for first in range(0, len(params), PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_PER_BATCH])
        if event["trial"] == PARENT:
            self._parent_start = event
            self._share(event)
            self._close_abandoned(self._seen, event["time_ms"])

    def _on_epoch(self, run_id: str, event: Event) -> None:
        if run_id not in self._logged:
            self._logged[run_id] = _newest_epoch(self._client.get_run(run_id))
        epoch = event["epoch"]
        if epoch > self._logged[run_id]:
            self._log_metrics(run_id, event["metrics"] | {EPOCH: epoch}, epoch, event["time_ms"])
            self._logged[run_id] = epoch

    def _on_scores(self, run_id: str, event: Event) -> None:
        """Of a spool that a version before left."""
        self._log_metrics(run_id, event["metrics"], event["step"], event["time_ms"])

    def _on_files(self, run_id: str, event: Event) -> None:
        """Of a spool that a version before left."""
        self._files.store(self._client.get_run(run_id), event["files"], self._is_patient())

    def _on_finish(self, run_id: str, event: Event) -> None:
        run = self._client.get_run(run_id)
        where = {LATENCY_TAG: event["costs_where"]} if "costs" in event else {}
        self._set_tags(run, {REASON_TAG: event["reason"]} | where | event.get("tags", {}))
        log_inputs(self._client, run, event.get("inputs", ()))
        new, costs = (_new(run, event.get(kind, {})) for kind in ("scores", "costs"))
        self._log_metrics(run_id, new, self._step_of(run, new, event.get("step", 0)), event["time_ms"])
        self._log_metrics(run_id, costs, 0, event.get("costs_ms") or event["time_ms"])
        stored = self._files.store(run, event.get("files", []), self._is_patient())
        if new or stored or run.info.status != event["status"] or not run.info.end_time:
            self._update(run_id, event["status"], event["time_ms"])
        if event["trial"] == PARENT:
            self._share(event)
            self._complete()
            self._close_abandoned((), event["time_ms"])

    def _share(self, event: Event) -> None:
        """Let the UI show the sweep; a spool that a version before left does not say how."""
        if "varied" in event:
            share(self._client, self._experiment, *self._sweep, event["varied"])

    def _step_of(self, run: Any, metrics: Mapping[str, float], step: int) -> int:
        """That at which values are the newest: a version before logged scores at a later step."""
        had = [key for key in metrics if key in run.data.metrics]
        past = [each.step for key in had for each in self._client.get_metric_history(run.info.run_id, key)]
        return max((step, *past))

    def _close_abandoned(self, but: Collection[str], time_ms: int) -> None:
        """Children that a killed driver left running end as their folders say, unless they do run."""
        for trial, run in self._index.by_trial().items():
            if (
                trial in (PARENT, *but)
                or run.info.status != "RUNNING"
                or run.info.lifecycle_stage == "deleted"
            ):
                continue
            facts = self._facts(trial)
            gone = {"status": "KILLED", "reason": "its folder is gone or damaged", "time_ms": time_ms}
            for fact in facts or [{"kind": "finish", "trial": trial, **gone}]:
                if fact["kind"] == "finish":
                    self._tell(fact)

    def _complete(self) -> None:
        """Runs that were deleted or purged after the last word on them, or whose files had no place."""
        found = self._index.by_trial()
        for trial in self._seen - {PARENT}:
            run = found.get(trial)
            if run is None or run.info.lifecycle_stage == "deleted" or run.info.run_id in self._files.failed:
                self._index.mend(trial)
                for fact in self._facts(trial)[-1:]:
                    self._tell(fact)

    def _log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int, time_ms: int) -> None:
        from mlflow.entities import Metric

        batch = [Metric(key, float(value), time_ms, step) for key, value in metrics.items()]
        for first in range(0, len(batch), METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=batch[first : first + METRICS_PER_BATCH])

    def _set_tags(self, run: Any, tags: Mapping[str, str]) -> None:
        """Set those that are different; an empty one goes, as do flags that a newer command has not."""
        from mlflow.entities import RunTag

        had, run_id = run.data.tags, run.info.run_id
        cut = {key: value[:TEXT_CHARACTERS] for key, value in tags.items() if value}
        new = [RunTag(key, value) for key, value in cut.items() if had.get(key) != value]
        for first in range(0, len(new), TAGS_PER_BATCH):
            self._client.log_batch(run_id, tags=new[first : first + TAGS_PER_BATCH])
        for key in had:
            flagged = COMMAND_TAG in tags and key.startswith(FLAG) and key not in tags
            if flagged or tags.get(key) == "":
                self._client.delete_tag(run_id, key)

    def _update(self, run_id: str, status: str, end_ms: int) -> None:
        """Set status and end of a run; 0 is no end, which the client's own methods cannot say."""
        from mlflow.entities import RunStatus

        store = self._client._tracking_client.store
        store.update_run_info(run_id, RunStatus.from_string(status), end_ms, None)


def _newest_epoch(run: Any) -> int:
    return int(run.data.metrics.get(EPOCH, run.data.metrics.get("epoch", -1)))  # as versions before had it


def _new(run: Any, metrics: Mapping[str, float]) -> dict[str, float]:
    """Those that a run does not have, or has otherwise."""
    return {key: value for key, value in metrics.items() if not _same(run.data.metrics.get(key), value)}


def _same(one: float | None, other: float) -> bool:
    """Also where a version before did not round it."""
    if one is None or one == other:
        return one == other
    return (one != one and other != other) or round(one, DIGITS) == other
