"""Runs the trials that a search asks for, and tells how they end: the sweep's own side of the link to Ray.

Two other things than trials are looked after: whether something has told the sweep to end, and whether Ray
still lives.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from epropnp.errors import UserError, first_line
from epropnp.plain import to_dict
from epropnp.training.config import TrialConfig
from epropnp.training.halt import stop_reason
from epropnp.training.record import Record, note_failure
from sweeps.known import KnownResults
from sweeps.running.cluster import Share
from sweeps.running.hours import Hours
from sweeps.running.keep import Keep
from sweeps.running.listener import Listener
from sweeps.running.memory import Memory
from sweeps.running.nodes import Nodes
from sweeps.running.retries import Retries
from sweeps.running.session import FINISHED, RayGoneError, Session
from sweeps.running.signals import Flag
from sweeps.search.grid import FINAL
from sweeps.search.search import Planned, Search
from sweeps.trial import Trial, one_line, read

GRACE_S = 10.0  # for running trials to write a checkpoint
SILENCE_S = 60.0  # without a node that lives
TICK_S = 0.2
WHOLE_GPU = 1.0

_log = logging.getLogger(__name__)


def trial_spec(
    name: str,
    config: TrialConfig,
    dataset: Path | str,
    folder: Path,
    stop_file: Path,
    updates: int | None = None,
    keep: Keep = "all",
    gpus: float = 0.0,
    cpus: float = 1.0,
) -> dict[str, Any]:
    """What `sweeps.running.worker.run_trial` needs, as plain values that Ray can send.

    Args:
        name: of the trial.
        config, dataset, folder: of the trial.
        stop_file: while it is there, trials are interrupted.
        updates: after which to interrupt; None: train to the end.
        keep: weights that stay in its folder when it has ended.
        gpus, cpus: what it was given of one, and of its machine's cores.
    """
    return {
        "name": name,
        "config": to_dict(config),
        "dataset": str(dataset),
        "folder": str(folder),
        "stop_file": str(stop_file),
        "updates": updates,
        "keep": keep,
        "gpus": gpus,
        "cpus": cpus,
        "left_out": [],
    }


class Trials:
    """One run of trials in a session; a failed trial does not stop the others.

    Args:
        search: says which; it is told of each that ended, after the listeners.
        spec: makes the folder of a trial, and says what its process needs.
        session: where they run.
        stop_file: while it is there, running trials are interrupted and no other one starts.
        flag: raised where a signal says the same.
        share: how many run at once, and what each may use.
        retries: count those of trials whose process broke.
        nodes: hear of those that end whatever begins there.
        hours: of the sweep.
        known: results that need not be trained.
        listeners: told in their order, before the search.
    """

    def __init__(
        self,
        search: Search,
        spec: Callable[[Planned], dict[str, Any]],
        *,
        session: Session,
        stop_file: Path,
        flag: Flag,
        share: Share,
        retries: Retries,
        nodes: Nodes,
        hours: Hours,
        known: KnownResults | None = None,
        listeners: Sequence[Listener],
    ) -> None:
        self._search, self._spec, self._session = search, spec, session
        self._stop_file, self._flag, self._share = stop_file, flag, share
        self._retries, self._nodes, self._hours, self._known = retries, nodes, hours, known
        self._listeners = listeners
        self.memory: list[Memory] = []  # that trials said they take
        self._again: list[Planned] = []
        self._later: list[Planned] = []
        self._silent: set[str] = set()  # whose newest process has told of no epoch
        self._planned: dict[str, Planned] = {}
        self._folders: dict[str, Path] = {}
        self._before: dict[str, Record | None] = {}  # what folders said when a process of theirs began
        self._failures: dict[str, str] = {}  # what processes said of themselves
        self._whole: set[str] = set()  # that found no memory on a share of a GPU
        self._running: set[str] = set()  # given away, and not ended
        self._interrupted_s: float | None = None
        self._alive_s = time.monotonic()

    def run(self, storage: Path) -> None:
        """Until the search is done and all have ended, or something ended the sweep.

        Args:
            storage: folder for Ray Tune's own records.

        Raises:
            RayGoneError: Ray ended, or no node of it lives, or its trials did not end when they were told.
        """
        self._session.begin(self._share.resources, storage)
        try:
            while not self._over():
                pass
        except RayGoneError:
            raise
        except BaseException:  # also a fault of ours must not cost what runs since its last checkpoint
            self._interrupt("an error")
            with contextlib.suppress(RayGoneError):
                while not self._over():
                    pass
            raise

    def end(self) -> None:
        """Tell of those that have not ended: their processes are gone, with Ray."""
        for name in sorted(self._running):
            self._tell_end(name, None)

    def _over(self) -> bool:
        """Heed what comes within a moment; whether it was that all is over."""
        message = self._session.receive(TICK_S)
        self._watch(time.monotonic())
        match message:
            case ("over", error):
                if error is not None:
                    raise RayGoneError(error)
                return True
            case ("ask",):
                self._session.send(self._answer())
            case ("alive", nodes):
                self._alive_s = time.monotonic() if nodes else self._alive_s
            case ("started", name):
                self._start(name)
            case ("reported", name, told, node):
                self._report(name, told, node)
            case ("ended", name, error, node) if name in self._running:
                self._end(name, error, node)
        return False

    def _watch(self, now_s: float) -> None:
        """Interrupt what runs if that is wanted; RayGoneError where that, or Ray, takes too long."""
        reason = self._flag.signal or stop_reason(self._stop_file.parent) or self._hours.over()
        if reason is not None and self._interrupted_s is None:
            self._interrupt(reason)
        if self._interrupted_s is not None and (self._flag.urgent or now_s - self._interrupted_s > GRACE_S):
            raise RayGoneError(f"{len(self._running)} trials did not end within {GRACE_S:.0f} s")
        if now_s - self._alive_s > SILENCE_S:
            raise RayGoneError(f"no node of it was heard of for {SILENCE_S:.0f} s")

    def _interrupt(self, reason: str) -> None:
        """Let running trials write a checkpoint and end."""
        self._interrupted_s = time.monotonic()
        try:
            if not self._stop_file.exists():
                self._stop_file.write_text(reason)
        except OSError as error:
            _log.warning("running trials end without another checkpoint: %s", first_line(error))

    def _answer(self) -> dict[str, Any] | str | None:
        """What Ray is to run next: a trial, nothing yet, or nothing any more."""
        if self._interrupted_s is not None:
            return None if self._running else FINISHED
        if len(self._running) >= self._share.at_once:
            return None
        planned = self._next()
        if planned is not None:
            spec = self._spec(planned) | {"left_out": sorted(self._nodes.left_out)}
            if planned.name in self._whole:
                spec["more"] = {"gpu": WHOLE_GPU}
            self._planned[planned.name], self._folders[planned.name] = planned, Path(spec["folder"])
            self._running.add(planned.name)
            self._tell("asked", planned)
            return spec
        return FINISHED if self._search.done and not self._running else None

    def _next(self) -> Planned | None:
        if self._again:
            return self._again.pop(0)
        asked = None if self._search.done else self._search.ask()
        while asked is not None and self._known is not None and self._known.link(asked):
            self._tell("asked", asked)
            self._told(read(self._known.folder(asked)))
            asked = None if self._search.done else self._search.ask()
        return self._later.pop(0) if asked is None and self._later else asked

    def _start(self, name: str) -> None:
        self._before[name] = read(self._folders[name]).record
        self._failures.pop(name, None)
        self._silent.add(name)
        self._retries.start(name, self._folders[name])
        self._tell("started", name)

    def _report(self, name: str, told: dict[str, Any], node: str | None) -> None:
        self._alive_s = time.monotonic()
        if "left_out" in told:  # its process only keeps the place
            self._run_again([self._planned[name]])
        if "failed" in told:
            self._failures[name] = told["failed"]
        if "memory" in told:
            self.memory.append(told["memory"])
        if "step" in told:
            self._tell("stepped", name, told)
        if "metrics" in told:
            self._silent.discard(name)
            self._nodes.lived(node)
            self._tell("reported", name, told)
        if "seconds_per_epoch" in told:
            self._tell("paced", name, told["seconds_per_epoch"])

    def _end(self, name: str, error: str | None, node: str | None) -> None:
        """A process ended: with an error of its own, or with one that `_failures` holds, or well."""
        ended = read(self._folders[name])
        unfinished = ended.status not in FINAL and self._interrupted_s is None
        again: Sequence[Planned] = ()
        if unfinished and name in self._silent and (error is not None or name in self._failures):
            again = self._nodes.ended_early(node, self._planned[name])
            for trial in again:
                self._retries.forget(trial.name)
        if again:
            self._run_again(again)
        elif unfinished and self._lacked_memory(ended):
            self._whole.add(name)
            self._run_again([self._planned[name]], last=True)  # when others leave it one
        elif unfinished and error is not None and self._retries.left(name, self._folders[name]):
            self._run_again([self._planned[name]], last=name in self._silent)
        else:
            failure = one_line(error) if error is not None else self._failures.get(name)
            self._tell_end(name, None if self._interrupted_s is not None and error is not None else failure)

    def _lacked_memory(self, ended: Trial) -> bool:
        """Whether a trial that shared a GPU found no memory, and might find it alone."""
        shared = 0.0 < self._share.gpus < WHOLE_GPU and ended.name not in self._whole
        return shared and ended.record is not None and ended.record.failure == "memory"

    def _run_again(self, trials: Sequence[Planned], last: bool = False) -> None:
        """Soon; or after all others, which may tell whether it is the trial or the node."""
        for trial in trials:
            self._running.discard(trial.name)
            (self._later if last else self._again).append(trial)
            self._tell("retried", trial.name)

    def _tell_end(self, name: str, failure: str | None) -> None:
        """Tell how it ended; where its process could not say so itself, note it first."""
        self._running.discard(name)
        folder = self._folders[name]
        ended = read(folder)
        silent = ended.record == self._before.get(name)  # a failure there is an earlier one
        untold = ended.status == "waiting" or (ended.status == "failed" and silent)
        if failure is not None and untold:
            try:
                note_failure(folder, failure)
            except UserError as error:
                _log.warning("%s", error)
            ended = read(folder)
        self._told(ended)

    def _told(self, ended: Trial) -> None:
        self._tell("ended", ended)
        self._search.tell(ended)

    def _tell(self, what: str, *content: Any) -> None:
        """Tell the listeners. A display or a record that fails is no reason to end the trials."""
        for listener in self._listeners:
            try:
                getattr(listener, what)(*content)
            except Exception:
                _log.exception("%s could not be shown or recorded", what)
