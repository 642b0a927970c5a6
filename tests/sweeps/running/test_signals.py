"""What a process does that is told to end: its handler is called while it counts, and only then."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from epropnp.training.halt import TerminatedError
from sweeps.running import signals
from sweeps.running.signals import INTERRUPTED, handled, raise_terminated


@pytest.fixture(autouse=True)
def _harmless() -> Iterator[None]:
    """A signal that nobody handles does not end the tests."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals.SIGNALS}
    yield
    for number, earlier in before.items():
        signal.signal(number, earlier)


def test_the_handler_hears_of_each_signal_by_name_and_of_none_afterwards() -> None:
    heard: list[str] = []
    with handled(heard.append):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        assert heard == ["SIGTERM", "SIGHUP", "SIGTERM"]
    for number in (signal.SIGTERM, signal.SIGHUP):
        assert signal.getsignal(number) is signal.SIG_IGN
        signal.raise_signal(number)
    assert len(heard) == 3


def test_an_inner_handler_goes_over_an_outer_one_until_it_ends_also_by_an_error() -> None:
    outer: list[str] = []
    with handled(outer.append):
        with pytest.raises(TerminatedError, match=r"^SIGTERM$"), handled(raise_terminated):
            signal.raise_signal(signal.SIGTERM)
        assert outer == []
        signal.raise_signal(signal.SIGTERM)
    assert outer == ["SIGTERM"]


def test_being_told_to_end_is_no_error_that_is_caught_by_the_way() -> None:
    assert not issubclass(TerminatedError, Exception)
    with pytest.raises(TerminatedError, match=r"^SIGHUP$"):
        raise_terminated("SIGHUP")


def test_other_threads_go_without() -> None:
    """Python lets only the main one handle signals: a sweep that another one calls runs all the same."""
    heard: list[str] = []
    done: list[str] = []

    def run() -> None:
        with handled(heard.append):
            done.append("ran")

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert (done, heard) == (["ran"], [])
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_a_process_that_is_told_to_end_from_outside_calls_its_handler() -> None:
    program = (
        "import sys, time\n"
        "from epropnp.training.halt import TerminatedError\n"
        "from sweeps.running.signals import INTERRUPTED, handled, raise_terminated\n"
        "try:\n"
        "    with handled(raise_terminated):\n"
        "        print('ready', flush=True)\n"
        "        time.sleep(60)\n"
        "except TerminatedError as error:\n"
        "    print(error, flush=True)\n"
        "    sys.exit(INTERRUPTED)\n"
    )
    root = Path(signals.__file__).parents[2]
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.kill(process.pid, signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == "SIGTERM\n"
    assert process.returncode == INTERRUPTED == 75
