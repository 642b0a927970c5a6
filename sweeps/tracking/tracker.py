"""MLflow records of a sweep: one parent run, one nested child per trial, found again on resume.

Everything is said as an event, a plain dictionary that can be carried out twice without harm. What
the server does not take now is spooled to disk, one JSON line per event, and sent later in the same
order: a tracking outage never stops a trial. Only the driver talks to MLflow.
"""

import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from epropnp.files import private_folder, replaced
from sweeps.folder import Sweep

EXPERIMENT = "epropnp"
SWEEP_TAG = "epropnp.sweep_id"
TRIAL_TAG = "epropnp.trial"
PARENT_TAG = "mlflow.parentRunId"
REASON_TAG = "epropnp.reason"  # why a run failed, or was stopped or interrupted
PARENT = ""  # in the place of a trial's name

PARAMS_PER_BATCH = 100  # MLflow's limits
METRICS_PER_BATCH = 1000
PARAM_CHARACTERS = 6000
TAG_CHARACTERS = 5000
RETRY_SECONDS = 30.0  # pause after a failure: an outage must not cost a time-out per epoch

SQLITE = "sqlite:///"
DATABASE = "mlflow.db"  # in the working folder, where there is no server
Event = dict[str, Any]
log = logging.getLogger(__name__)


class Tracker:
    """Writes one sweep to MLflow, or to a spool file while MLflow cannot be reached.

    Args:
        uri: of the tracking server, or `sqlite:///PATH`.
        sweep_id: never used by another sweep; by it a resumed sweep finds its runs.
        sweep_name: how the parent run is called.
        spool: file for what could not be sent; what an earlier call left there is sent first.
        artifacts: where artifacts go when `uri` is a local database; a server decides for itself.
        retry_seconds: pause between attempts during an outage.
    """

    def __init__(
        self,
        *,
        uri: str,
        sweep_id: str,
        sweep_name: str,
        spool: Path,
        artifacts: Path | None = None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.uri = uri
        self.logged: dict[str, int] = {}  # trial -> newest epoch that MLflow has
        self._sweep_id = sweep_id
        self._sweep_name = sweep_name
        self._spool = spool
        self._artifacts = artifacts
        self._retry_seconds = retry_seconds
        self._silent_until_s = 0.0
        self._client: Any = None
        self._experiment = ""
        self._runs: dict[str, str] = {}  # trial -> run id

    def connect(self) -> bool:
        """Reach MLflow before any trial starts; a fresh local database is migrated here, once."""
        return self._attempt(lambda: self._connect())

    def start(self, trial: str, params: Mapping[str, Any]) -> None:
        """Open the run of a trial (of the sweep itself: `PARENT`), or find it again."""
        self._record("start", trial, params={k: str(v) for k, v in params.items()})

    def log_epoch(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log an epoch's metrics as one batch; an epoch that MLflow has is not logged again."""
        self._record("epoch", trial, epoch=epoch, metrics=dict(metrics))

    def finish(
        self,
        trial: str,
        status: str,
        reason: str = "",
        *,
        step: int = 0,
        scores: Mapping[str, float] | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        """Close a run as FINISHED, FAILED or KILLED, with its final numbers and its files.

        What a run has that was closed in the same way before is not stored again.
        """
        content = {"step": step, "scores": dict(scores or {}), "files": [str(f.resolve()) for f in files]}
        self._record("finish", trial, status=status, reason=reason[:TAG_CHARACTERS], **content)

    def flush(self) -> bool:
        """Send what is spooled, in order; True when nothing is left."""
        if not self._spool.is_file():
            return True
        self._silent_until_s = 0.0
        events = [json.loads(line) for line in self._spool.read_text().splitlines()]
        sent = 0
        while sent < len(events) and self._send(events[sent]):
            sent += 1
        if sent == len(events):
            self._spool.unlink()
            return True
        if sent:
            with replaced(self._spool) as spool:
                spool.write_text("".join(json.dumps(event) + "\n" for event in events[sent:]))
        return False

    def close(self, seconds: float) -> bool:
        """Wait so long, at most, until all is sent; True when nothing is left."""
        return self.flush()

    def _make_private(self) -> None:
        """Make a local database and its folder of artifacts, where they are not there, for their owner."""
        if self.uri.startswith(SQLITE):
            file = Path(self.uri.removeprefix(SQLITE))
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
        if self._artifacts is not None:
            private_folder(self._artifacts)

    def _record(self, kind: str, trial: str, **content: Any) -> None:
        event = {"kind": kind, "trial": trial, "time_ms": int(time.time() * 1000), **content}
        reachable = time.monotonic() >= self._silent_until_s
        if reachable and self.flush() and self._send(event):
            return
        self._spool.parent.mkdir(parents=True, exist_ok=True)
        with self._spool.open("a") as spool:
            spool.write(json.dumps(event) + "\n")

    def _send(self, event: Event) -> bool:
        return self._attempt(lambda: getattr(self, f"_on_{event['kind']}")(event))

    def _attempt(self, action: Any) -> bool:
        """Do it; False when MLflow is out of reach. What MLflow refuses for good is dropped."""
        try:
            action()
        except Exception as error:  # whatever happens to the records, the trials go on
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            if getattr(error, "error_code", "") in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST"):
                log.warning("MLflow refused a record, it is left out: %s", reason)
                return True
            if not self._silent_until_s:
                log.warning("MLflow is out of reach, records go to %s: %s", self._spool, reason)
            self._client = None
            self._silent_until_s = time.monotonic() + self._retry_seconds
            return False
        self._silent_until_s = 0.0
        return True

    def _on_start(self, event: Event) -> None:
        run_id = self._run(event["trial"])
        known = self._client.get_run(run_id).data.params
        self._client.update_run(run_id, status="RUNNING")
        if REASON_TAG in self._client.get_run(run_id).data.tags:
            self._client.delete_tag(run_id, REASON_TAG)  # of an earlier end, which was none
        from mlflow.entities import Param

        params = [
            Param(key, value[:PARAM_CHARACTERS]) for key, value in event["params"].items() if key not in known
        ]
        for first in range(0, len(params), PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_PER_BATCH])

    def _on_epoch(self, event: Event) -> None:
        trial, epoch = event["trial"], event["epoch"]
        run_id = self._run(trial)
        if trial not in self.logged:
            metrics = self._client.get_run(run_id).data.metrics
            self.logged[trial] = int(metrics.get("epoch", -1))
        if epoch > self.logged[trial]:
            self._log_metrics(run_id, event["metrics"] | {"epoch": epoch}, epoch, event["time_ms"])
            self.logged[trial] = epoch

    def _on_files(self, event: Event) -> None:
        run_id = self._run(event["trial"])
        for file in event["files"]:
            if Path(file).is_file():
                self._client.log_artifact(run_id, file)

    def _on_scores(self, event: Event) -> None:
        """Of a spool that the version before left."""
        self._log_metrics(self._run(event["trial"]), event["metrics"], event["step"], event["time_ms"])

    def _on_finish(self, event: Event) -> None:
        run_id = self._run(event["trial"])
        run = self._client.get_run(run_id)
        scores, files = event.get("scores", {}), event.get("files", [])
        if event["reason"]:
            self._client.set_tag(run_id, REASON_TAG, event["reason"])
        known = run.info.status == event["status"] and scores.items() <= run.data.metrics.items()
        if known and all(_changed_ms(file) <= run.info.end_time for file in files):
            return
        self._log_metrics(run_id, scores, event.get("step", 0), event["time_ms"])
        self._on_files({"trial": event["trial"], "files": files})
        self._client.set_terminated(run_id, event["status"], end_time=event["time_ms"])

    def _log_metrics(self, run_id: str, metrics: Mapping[str, float], step: int, time_ms: int) -> None:
        from mlflow.entities import Metric

        batch = [Metric(key, float(value), time_ms, step) for key, value in metrics.items()]
        for first in range(0, len(batch), METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=batch[first : first + METRICS_PER_BATCH])

    def _run(self, trial: str) -> str:
        """Run id of a trial, found by its tags or created; the parent's for `PARENT`."""
        self._connect()
        if trial not in self._runs:
            wanted = {SWEEP_TAG: self._sweep_id, TRIAL_TAG: trial or "-"}
            query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in wanted.items())
            found = self._client.search_runs([self._experiment], query, max_results=1)
            self._runs[trial] = found[0].info.run_id if found else self._create_run(trial, wanted)
        return self._runs[trial]

    def _create_run(self, trial: str, tags: dict[str, str]) -> str:
        if trial != PARENT:
            tags = tags | {PARENT_TAG: self._run(PARENT)}
        name = trial or self._sweep_name
        run = self._client.create_run(self._experiment, tags=tags, run_name=name)
        return str(run.info.run_id)

    def _connect(self) -> None:
        if self._client is not None:
            return
        _quiet()
        from mlflow import MlflowClient

        self._make_private()
        client = MlflowClient(tracking_uri=self.uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            place = self._artifacts.resolve().as_uri() if self._artifacts else None
            self._experiment = client.create_experiment(EXPERIMENT, artifact_location=place)
        else:
            self._experiment = experiment.experiment_id
        self._client = client


def tracker_of(sweep: Sweep, uri: str | None = None) -> Tracker:
    """The tracker of a sweep: on a server, or in a database beside the sweep's folder."""
    out = sweep.folder.parent
    return Tracker(
        uri=uri or f"{SQLITE}{out / DATABASE}",
        sweep_id=sweep.sweep_id,
        sweep_name=sweep.name,
        spool=sweep.folder / "mlflow-spool.jsonl",
        artifacts=None if uri else out / "mlartifacts",
    )


def _changed_ms(file: str) -> float:
    return os.stat(file).st_mtime * 1000 if Path(file).is_file() else 0.0


def _quiet() -> None:
    """No telemetry, no advice about git, short time-outs; the user's own settings win."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import mlflow  # noqa: F401  it sets its log level on import

    for name in ("mlflow", "mlflow.store.db.utils", "alembic", "alembic.runtime.migration"):
        logging.getLogger(name).setLevel(logging.ERROR)
