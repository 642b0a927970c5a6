"""Helper processes that end with the one that started them, however that ends, and leave signals to it."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator

ENDING = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
)  # terminals and batch systems send them to whole groups


@contextlib.contextmanager
def born_deaf() -> Iterator[None]:
    """What this thread starts meanwhile, and all that these processes start, hears no signal but SIGKILL.

    So Ctrl-C prints no traceback of theirs, and who is told to end can still use them for a last checkpoint.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with_parent() -> None:
    """End this process, which `multiprocessing` started, when its parent has died or forgotten it."""
    threading.Thread(target=_exit_after_parent, daemon=True).start()


def _exit_after_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # a pipe to it: one that is killed need tell nobody
        os._exit(1)
