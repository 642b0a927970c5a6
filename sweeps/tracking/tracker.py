"""Tells MLflow of a sweep without ever waiting for it: what is said goes to a file, and a thread sends it.

Nothing that MLflow does, or does not do, holds or ends a trial: during an outage records wait in the file
(`sweeps.tracking.spool`) and are sent later, in their order. Only the driver talks to MLflow.
"""

import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from epropnp.credentials import without_credentials
from epropnp.errors import first_line
from sweeps.folder import Sweep
from sweeps.tracking import events
from sweeps.tracking.events import PARENT, Event, RefusedError
from sweeps.tracking.experiment import ARTIFACTS, DATABASE, SQLITE
from sweeps.tracking.mlflow_runs import MlflowRuns
from sweeps.tracking.spool import Spool
from sweeps.tracking.trial_events import facts_of

RETRY_SECONDS = 30.0  # the longest pause in an outage
FIRST_RETRY_SECONDS = 0.5  # then twice as long each time
HURRIED_SECONDS = 1.0  # the longest pause while somebody waits
# That MLflow, which takes seconds of a core to load and to make its database, leaves to the first trials, as
# long as there is no more to say than that something begins.
HEAD_START_SECONDS = 20.0
ATTEMPT_SECONDS = 5.0  # that is waited at least, however long MLflow has been out of reach
STUCK_SECONDS = 30.0  # without an answer that is an outage, even if no time-out says so
log = logging.getLogger(__name__)


class Carrier(Protocol):
    """Carries events out."""

    def carry(self, event: Event) -> None:
        """Do it, also for the second time. RefusedError, or any other one where it is out of reach."""


@dataclass(eq=False)
class _Said:
    """An event that is not sent yet, and where its line in the spool ends, if the disk took it."""

    line: str
    end: int | None = None


class Tracker:
    """Hands what is said of a sweep to a carrier, in a thread; all but the last two methods return at once.

    Args:
        carrier: used by the thread alone.
        spool: file for what is not sent yet; what an earlier process left there is sent first. Files are
            named from its folder, that of the sweep.
        retry_seconds: the longest pause between attempts during an outage.
        head_start_seconds: the longest wait before the first attempt, while nothing but starts is said.
    """

    def __init__(
        self,
        carrier: Carrier,
        spool: Path,
        retry_seconds: float = RETRY_SECONDS,
        head_start_seconds: float = 0.0,
    ) -> None:
        self._carrier, self._retry_seconds = carrier, retry_seconds
        self._head_start_seconds, self._news = head_start_seconds, False
        self._spool, self.root = Spool(spool), spool.parent
        self._changed = threading.Condition()  # holds all that follows
        self._said: deque[_Said] = deque()
        self._unwritten: deque[_Said] = deque()  # those at its end that the disk did not take
        self._thread: threading.Thread | None = None
        self._sending_since_s: float | None = None
        self._failures = 0  # of the event that is being sent
        self._out_since_s: float | None = None
        self._disk_failed = self._stopped = False
        self._waiters = 0
        self._take_over()

    def start(self, trial: str, params: Mapping[str, Any], tags: Mapping[str, Any] | None = None) -> None:
        """Open the run of a trial (of the sweep itself: `PARENT`), or find it again and open it."""
        self.say(events.started(trial, params, tags))

    def start_sweep(
        self, command: Sequence[str], params: Mapping[str, Any], varied: Sequence[str] = ()
    ) -> None:
        """Open the sweep's own run, which says by what words, and with what flags, it was called last.

        Args:
            command: words of the command line.
            params: of the sweep as a whole.
            varied: settings in which its trials differ, which the list of runs shows.
        """
        event = events.started(PARENT, params, events.command_tags(command, params))
        self.say(event | {"varied": [*varied]})

    def log_epoch(self, trial: str, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log an epoch's metrics as one batch; an epoch that MLflow has is not logged again."""
        self.say(events.epoch_ended(trial, epoch, metrics))

    def finish(self, trial: str, status: str, reason: str = "", *, files: Sequence[Path] = ()) -> None:
        """Close a run as FINISHED, FAILED or KILLED, with its files."""
        self.say(events.ended(trial, status, reason, files=files, root=self.root))

    def say(self, event: Event) -> None:
        """Note an event; it is sent after all that was said before."""
        said = _Said(json.dumps(event))
        with self._changed:
            self._news |= event["kind"] != "start"
            self._said.append(said)
            self._unwritten.append(said)
            self._write()
            self._say_if_stuck()
            self._begin()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all is sent, or the time is over; True when nothing is left.

        An outage that has begun before has used up some of that time, but for a last attempt.
        """
        began_s = time.monotonic()
        with self._changed:
            self._waiters += 1
            self._begin()
            self._changed.notify_all()
            while self._said and not self._stopped:
                out_since_s = began_s if self._out_since_s is None else min(began_s, self._out_since_s)
                end_s = max(out_since_s + seconds, began_s + min(seconds, ATTEMPT_SECONDS))
                if (left_s := end_s - time.monotonic()) <= 0:
                    break
                self._changed.wait(min(left_s, HURRIED_SECONDS))
                self._say_if_stuck()
            self._waiters -= 1
            if not self._said:
                self._spool.clear()
            return not self._said

    def close(self, seconds: float) -> bool:
        """`flush`, and end the thread: what is left then, a tracker with the same spool sends."""
        done = self.flush(seconds)
        with self._changed:
            self._stopped = True
            self._write()
            if self._unwritten:
                log.warning("%d records could be neither sent nor written", len(self._unwritten))
            self._spool.close()
            self._changed.notify_all()
        return done

    def _take_over(self) -> None:
        """Read what an earlier process left."""
        try:
            left = self._spool.left()
        except OSError as error:
            log.warning("%s cannot be read, what it holds is not sent: %s", self._spool.path, error.strerror)
            return
        self._said.extend(_Said(line, end) for line, end in left.lines)
        if left.garbled:
            log.warning("%s: %d damaged lines are left out", self._spool.path, left.garbled)

    def _write(self) -> None:
        """To the spool, what it lacks."""
        try:
            while self._unwritten:
                self._unwritten[0].end = self._spool.append(self._unwritten[0].line)
                self._unwritten.popleft()
        except OSError as error:
            if not self._disk_failed:
                log.warning(
                    "%s cannot be written (%s): records wait in memory", self._spool.path, error.strerror
                )
            self._disk_failed = True

    def _begin(self) -> None:
        alive = self._thread is not None and self._thread.is_alive()
        if self._said and not alive and not self._stopped:
            self._thread = threading.Thread(target=self._send_all, name="tracker", daemon=True)
            self._thread.start()

    def _send_all(self) -> None:
        with self._changed:
            self._changed.wait_for(
                lambda: self._news or self._waiters or self._stopped, self._head_start_seconds
            )
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._said or self._stopped)
                if self._stopped:
                    return
                said = self._said[0]
                self._sending_since_s = time.monotonic()
            done = self._send(json.loads(said.line))
            with self._changed:
                self._sending_since_s = None
                if self._stopped:
                    return
                if done:
                    self._take_off()
                else:
                    self._pause()

    def _send(self, event: Event) -> bool:
        """False where MLflow is out of reach."""
        try:
            self._carrier.carry(event)
        except RefusedError as error:
            log.warning("MLflow refused a record, it is left out: %s", _reason(error))
        except Exception as error:  # whatever happens to the records, the trials go on
            with self._changed:
                self._say_out_of_reach(_reason(error))
            return False
        with self._changed:
            if self._out_since_s is not None:
                seconds = time.monotonic() - self._out_since_s
                log.warning("MLflow answers again after %.0f s; %d records waited", seconds, len(self._said))
                self._out_since_s = None
        return True

    def _take_off(self) -> None:
        """The first event is sent."""
        said = self._said.popleft()
        self._failures = 0
        if said.end is None:
            with contextlib.suppress(ValueError):
                self._unwritten.remove(said)
        elif not self._said and self._spool.is_large:
            self._spool.clear()
        else:
            self._spool.sent(said.end)
        self._changed.notify_all()

    def _pause(self) -> None:
        pause_s = min(FIRST_RETRY_SECONDS * 2 ** min(self._failures, 20), self._retry_seconds)
        self._failures += 1
        end_s = time.monotonic() + pause_s
        hurried_end_s = time.monotonic() + min(pause_s, HURRIED_SECONDS)
        while not self._stopped:
            left_s = (hurried_end_s if self._waiters else end_s) - time.monotonic()
            if left_s <= 0:
                return
            self._changed.wait(left_s)

    def _say_if_stuck(self) -> None:
        since_s = self._sending_since_s
        if since_s is not None and time.monotonic() - since_s > STUCK_SECONDS:
            self._say_out_of_reach(f"no answer for {STUCK_SECONDS:.0f} s")

    def _say_out_of_reach(self, reason: str) -> None:
        if self._out_since_s is None:
            self._out_since_s = time.monotonic()
            log.warning("MLflow is out of reach, records wait in %s: %s", self._spool.path, reason)


def tracker_of(sweep: Sweep, uri: str | None = None) -> Tracker:
    """The tracker of a sweep: on a server, or in a database beside the sweep's folder."""
    out = sweep.folder.parent
    runs = MlflowRuns(
        uri=uri or f"{SQLITE}{out / DATABASE}",
        sweep_id=sweep.sweep_id,
        sweep_name=sweep.name,
        root=sweep.folder,
        artifacts=None if uri else out / ARTIFACTS,
        facts=facts_of(sweep.trial_folder, sweep.folder, sweep.varied),
    )
    return Tracker(runs, sweep.folder / "mlflow-spool.jsonl", head_start_seconds=HEAD_START_SECONDS)


def _reason(error: BaseException) -> str:
    return without_credentials(first_line(error))
