"""The process of a sweep that holds Ray: Ray Tune runs the trials that it is answered with when it asks.

Ray may end the process that uses it, or let it wait for ever, when its servers die. Here that costs nothing:
decisions, records and displays are those of the sweep's own process, at the other end of the link; see
`sweeps.running.session`, which starts this one.
"""

import contextlib
import gc
import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.execution.placement_groups import resource_dict_to_pg_factory
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.search import Searcher

from epropnp.claims import claimed
from epropnp.errors import UserError, first_line
from sweeps.running.cluster import Node, nodes_of_cluster, ray_session, servers_that_ended, share_out
from sweeps.running.kept import keep_processes
from sweeps.running.processes import end_session
from sweeps.running.session import FINISHED

PULSE_S = 2.0  # between signs of life
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # the sweep's own process heeds them, for both
ANSWER_S = 0.02  # that Tune waits for one while it has something else to do
IDLE_S = 1.0  # and while it has not: it would sleep as long
WARM = ""  # in the place of a trial's name
WARMED = 4  # processes at most
MANY = 1000  # trials, as long as their number is not known


class Link:
    """Messages to the sweep's own process, from any thread, and answers to them, for the main thread.

    Where nobody is there any more, see `_end_with`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def tell(self, kind: str, *content: Any) -> None:
        """Send a message."""
        with contextlib.suppress(OSError), self._lock:  # else this process is about to end
            self._connection.send((kind, *content))

    def answered(self, seconds: float) -> bool:
        """Whether there is an answer within a moment."""
        try:
            return self._connection.poll(seconds)
        except OSError:
            return False

    def answer(self) -> Any:
        """Wait for an answer, or a command."""
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            threading.Event().wait()  # this process is about to end


def main(descriptor: str, folder: str, wanted: str) -> int:
    """Start or join Ray, say what it has, and run trials as commanded until there is no other command.

    Args:
        descriptor: of the link's end, which is inherited.
        folder: for what Ray writes; it is there, and empty.
        wanted: a `sweeps.running.session.Wanted`, as JSON.
    """
    _leave_signals()
    gc.set_threshold(50_000)  # as in the driver
    # Tune would load it, for a second, only to ask whether a callback is of its kind.
    sys.modules.setdefault("mlflow", None)  # type: ignore[arg-type]
    link, own, given = Link(Connection(int(descriptor))), Path(folder), json.loads(wanted)
    threading.Thread(target=_end_with, args=(os.getppid(), own), daemon=True).start()
    try:
        with claimed(own), ray_session(given["address"], own):
            _leave_signals()  # Ray has set its own handler
            nodes = nodes_of_cluster()
            command = _warming(given, nodes, own)
            link.tell("cluster", nodes, command and command["resources"])
            for told in (_pulse, _watch):
                threading.Thread(target=told, args=(link,), daemon=True).start()
            command = command or link.answer()
            while command is not None:
                link.tell("over", _error_of(link, command))
                command = link.answer()
    except UserError as error:
        link.tell("over", str(error))
        return 2
    return 0


def _warming(wanted: Mapping[str, Any], nodes: Sequence[Node], folder: Path) -> dict[str, Any] | None:
    """The command to begin with on this machine, if there is one: processes load what trains.

    The sweep's own process looks at networks and data meanwhile.
    """
    if wanted["address"] is not None or wanted["cores"] is None:
        return None
    share = share_out(MANY, wanted["at_once"], wanted["cores"], nodes, wanted["resources"])
    warm = min(share.at_once, WARMED)
    return {"resources": share.resources, "storage": str(folder / "tune"), "warm": warm}


def _leave_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end_with(parent: int, folder: Path) -> None:
    """End, and Ray with us, when the sweep's own process has, even by a kill that lets it tell nobody."""
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(folder, ignore_errors=True)
    end_session(os.getsid(0))


def _pulse(link: Link) -> None:
    """Tell again and again how many nodes live, as long as Ray answers."""
    while True:
        link.tell("alive", sum(bool(node["Alive"]) for node in ray.nodes()))
        time.sleep(PULSE_S)


def _watch(link: Link) -> None:
    """Tell when a server has ended; apart from the above, where Ray may wait a minute for its answer."""
    while not (ended := servers_that_ended()):
        time.sleep(PULSE_S)
    link.tell("over", f"its {' and its '.join(ended)} ended")


def _error_of(link: Link, command: Mapping[str, Any]) -> str | None:
    """Run trials until there is no other one; says why, where Ray ended that before."""
    try:
        run(link, **command)
    except Exception as error:  # whatever Ray raises is mended in the same way
        logging.getLogger(__name__).exception("Ray Tune ended")
        return first_line(error)
    return None


def run(link: Link, resources: Mapping[str, float], storage: str, warm: int = 0) -> None:
    """One run of Ray Tune.

    Args:
        link: is asked for trials, and told of them.
        resources: of each trial.
        storage: folder for Ray Tune's own records, which nobody reads.
        warm: processes that load what trains before they are needed.
    """
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are told
    keep_processes()
    over = threading.Event()
    tuner = tune.Tuner(
        tune.with_resources(trainable, lambda space: _asked_for(resources, space["trial"])),
        tune_config=tune.TuneConfig(
            search_alg=Asking(link, over, warm, Path(storage) / "go"),
            num_samples=-1,  # as many as are asked for
            reuse_actors=True,  # a fresh process imports torch and timm again: 6 s
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name="tune", storage_path=storage, callbacks=[Relay(link)], stop=Over(over), verbose=0
        ),
    )
    tuner.fit()


def _asked_for(resources: Mapping[str, float], trial: Mapping[str, Any]) -> tune.PlacementGroupFactory:
    """What a trial asks of the cluster: what all do, but for what it did not find enough of."""
    return resource_dict_to_pg_factory({**resources, **trial.get("more", {})})


def trainable(space: dict[str, Any]) -> None:
    """What Ray's workers run. They alone import what trains."""
    gc.disable()  # nothing of what is imported is garbage, and to look for some takes a fifth of the time
    from sweeps.running.worker import run_trial

    if not gc.get_freeze_count():  # what was imported stays; else it is looked through after each trial
        gc.freeze()
    gc.enable()
    if space["trial"]["name"] != WARM:
        return run_trial(space)
    go = Path(space["trial"]["go"])
    while not go.exists():  # then Tune has a trial for this process, and keeps it
        time.sleep(0.1)
    return None


class _Unstored:
    """Ray stores what it is given, which nobody reads, and links cannot be stored."""

    def __reduce__(self) -> tuple[Any, ...]:
        return object, ()


class Asking(_Unstored, Searcher):  # type: ignore[misc, unused-ignore]
    """Ray Tune's way of asking for trials; it remembers nothing of them, folders do."""

    def __init__(self, link: Link, over: threading.Event, warm: int = 0, go: Path | None = None) -> None:
        super().__init__()
        self._link, self._over, self._warm, self._go = link, over, warm, go
        self._asked, self._live = False, 0

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        if self._warm:
            self._warm -= 1
            self._live += 1
            return {"trial": {"name": WARM, "go": str(self._go)}}
        if not self._asked:
            self._link.tell("ask")
        self._asked = not self._link.answered(ANSWER_S if self._live else IDLE_S)
        if self._asked:
            return None  # the sweep's own process has something else to do: Tune goes on
        spec = self._link.answer()
        if spec is not None and self._go is not None:
            self._go.parent.mkdir(parents=True, exist_ok=True)
            self._go.touch()
        if spec == FINISHED:
            self._over.set()
            return str(Searcher.FINISHED)
        self._live += spec is not None
        return None if spec is None else {"trial": spec}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """The relay tells of it."""
        self._live -= 1

    def save(self, checkpoint_path: str) -> None:
        """Nothing: see the class."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: see the class."""


class Over(_Unstored, tune.Stopper):  # type: ignore[misc, unused-ignore]
    """Ends what only keeps the place of a node that is left out, when there is nothing else any more."""

    def __init__(self, over: threading.Event) -> None:
        self._over = over

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._over.is_set()


class Relay(_Unstored, TrialProgressCallback):  # type: ignore[misc, unused-ignore]
    """Tells what happens to trials; of the kind that replaces Tune's own reporter."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("started", trial)

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        told = result.get("told")  # Tune adds reports of its own, and to ours
        if told is not None:
            self._tell("reported", trial, told, _node(trial))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._tell("ended", trial, None, _node(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        error = trial.get_pickled_error() or trial.get_error() or "its process ended"
        self._tell("ended", trial, str(error), _node(trial))

    def _tell(self, what: str, trial: Any, *content: Any) -> None:
        if _name(trial) != WARM:
            self._link.tell(what, _name(trial), *content)


def _name(trial: Any) -> str:
    return str(trial.config["trial"]["name"])


def _node(trial: Any) -> str | None:
    """Address of the node that its process was on, if it began."""
    return trial.temporary_state.location.hostname
