"""Mapping over processes of this machine, or over the cores of a Ray cluster, behind one interface.

Neither kind of worker outlives the process that started it. What is mapped writes its results to
files and returns a number, so that memory does not grow with the work.
"""

import logging
import multiprocessing
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeVar

import cv2

from epropnp.errors import UserError
from epropnp.processes import end_with_parent
from pipelines.building.private_ray import private_ray, set_private_environment

Item = TypeVar("Item")
Result = TypeVar("Result")

_RETRIES = 5  # of a task whose worker or node was lost
_AHEAD = 4  # tasks handed to Ray beforehand, per core


class Mapper(Protocol):
    """Like `map`: applies a function to items, gives results in order."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """Map."""
        ...


def open_mapper(workers: int, ray_address: str | None) -> AbstractContextManager[Mapper]:
    """`ray_mapper` where an address is given, else `process_mapper`."""
    return process_mapper(workers) if ray_address is None else ray_mapper(ray_address)


@contextmanager
def process_mapper(workers: int) -> Iterator[Mapper]:
    """A mapper over `workers` processes, or over this one where a single process is enough.

    Raises:
        UserError: while mapping, when a process died.
    """
    if workers <= 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")  # Embree and threads dislike a fork
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start)
    try:
        yield pool.map
    except BrokenProcessPool:
        raise UserError(
            "a worker process was killed, perhaps for want of memory: run the same command again, "
            "which goes on where this one stopped, with fewer --workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    signal.signal(signal.SIGINT, _stop)
    cv2.setNumThreads(1)
    end_with_parent()


def _stop(*_: object) -> None:
    """Ends this worker at Ctrl-C at once and silently: the parent speaks."""
    os._exit(130)


@contextmanager
def ray_mapper(address: str) -> Iterator[Mapper]:
    """A mapper over a Ray cluster: `auto` or `HOST:PORT` joins one, `local` starts one here.

    A Ray session that this process already has is used. Tasks whose worker or node is lost run
    again elsewhere. The cluster's nodes need this package, and must see the files under the same
    paths.

    Raises:
        UserError: there is no cluster at that address, or none starts here.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # else 15: it would stand still beside other work
    if address == "local":
        set_private_environment()
    import ray

    if ray.is_initialized():
        yield _map_tasks
        return
    with private_ray() if address == "local" else _joined(address):
        yield _map_tasks


@contextmanager
def _joined(address: str) -> Iterator[None]:
    import ray

    try:
        _knock(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"--ray: no Ray cluster at {address} ({error})") from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """OSError at once where nobody listens: Ray itself would ask for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and "://" not in address and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _map_tasks(function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
    """The mapper of `ray_mapper`; holds a bounded number of tasks whatever the number of items."""
    import ray

    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_call)
    shared = ray.put(function)
    ahead = _AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
    waiting: deque[Any] = deque()
    for item in items:
        waiting.append(task.remote(shared, item))
        if len(waiting) >= ahead:
            yield _result(waiting.popleft())
    while waiting:
        yield _result(waiting.popleft())


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    """What a Ray task runs."""
    cv2.setNumThreads(1)
    return function(item)


def _result(task: Any) -> Any:
    import ray

    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # as it was raised, without the remote traceback in its message
    except ray.exceptions.RayError as error:
        raise UserError(
            f"Ray lost a task {_RETRIES + 1} times ({type(error).__name__}): run the same command again, "
            "which goes on where this one stopped"
        ) from error
