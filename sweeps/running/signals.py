"""What a sweep does when it is told to end: batch systems send SIGTERM, closed terminals SIGHUP."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence

from epropnp.training.halt import TerminatedError

INTERRUPTED = 75  # exit code: run the same again, and it goes on (EX_TEMPFAIL of sysexits.h)
CTRL_C = 130  # exit code, as shells have it
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def raise_terminated(name: str) -> None:
    """A handler for `handled`."""
    raise TerminatedError(signal.Signals[name])


class Flag:
    """A handler that does nothing but remember: a batch system may signal every process at once, and twice.

    Attributes:
        signal: the first that came.
        urgent: whether Ctrl-C was pressed again.
    """

    def __init__(self) -> None:
        self.signal: str | None = None
        self.urgent = False

    def __call__(self, name: str) -> None:
        self.urgent = self.urgent or (name == "SIGINT" and self.signal is not None)
        self.signal = self.signal or name


@contextlib.contextmanager
def handled(handler: Callable[[str], None], signals: Sequence[signal.Signals] = SIGNALS) -> Iterator[None]:
    """Call a handler with the name of each signal; other threads than the main one cannot, and go without."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signals}
    for number in signals:
        signal.signal(number, lambda given, _: handler(signal.Signals(given).name))
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
