"""Ending a session of processes: its leader and all that they started, by whatever way."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

END_S = 5.0


def end_session(leader: int) -> None:
    """Kill the processes of a session, and wait a moment until they are gone and hold no folder any more.

    This process itself, if it is one of them, comes last.
    """
    until_s = time.monotonic() + END_S
    while (others := set(_of_session(leader)) - {os.getpid()}) and time.monotonic() < until_s:
        for process in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    if os.getsid(0) == leader:
        os._exit(1)


def _of_session(leader: int) -> list[int]:
    found = []
    for process in _processes():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(process) == leader:
                found.append(process)
    return found


def _processes() -> list[int]:
    """All of this machine but for those that are dead and only not looked after."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):  # small containers have no `ps`
        with contextlib.suppress(OSError):
            if stat.read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(stat.parent.name))
    return found or [int(word) for word in subprocess.check_output(["ps", "-A", "-o", "pid="]).split()]
