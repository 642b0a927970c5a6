"""Mapping over worker processes that never outlive the process which started them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import cv2

Item = TypeVar("Item")
Result = TypeVar("Result")


class Mapper(Protocol):
    """Like `map`: applies a function to items, gives results in order."""

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """Map."""
        ...


@contextmanager
def process_mapper(workers: int) -> Iterator[Mapper]:
    """A mapper over `workers` processes, or over this one where a single process is enough."""
    if workers <= 1:
        yield map
        return
    context = multiprocessing.get_context("spawn")  # Embree and threads dislike a fork
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    """Ends this worker when its parent dies, even by a kill that lets it tell nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
