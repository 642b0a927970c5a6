"""What a sweep does when it is told to end: batch systems send SIGTERM, closed terminals SIGHUP."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

INTERRUPTED = 75  # exit code: run the same again, and it goes on (EX_TEMPFAIL of sysexits.h)
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class TerminatedError(BaseException):
    """The process was told to end while nothing was running that had to be brought to an end first."""


def raise_terminated(name: str) -> None:
    """A handler for `handled`."""
    raise TerminatedError(name)


@contextlib.contextmanager
def handled(handler: Callable[[str], None]) -> Iterator[None]:
    """Call a handler with the name of each signal; other threads than the main one cannot, and go without."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, lambda given, _: handler(signal.Signals(given).name))
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
