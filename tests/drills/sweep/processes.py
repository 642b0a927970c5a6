"""The processes of a drill, found by a mark in their environment, and by the sessions of marked ones."""

import contextlib
import os
import signal
from pathlib import Path

MARK = "EPROPNP_DRILL"


class Processes:
    """Those of one drill.

    Args:
        mark: that they were started with.
    """

    def __init__(self, mark: str) -> None:
        self._mark = f"{MARK}={mark}".encode()
        self._sessions: set[int] = set()  # a process may overwrite its environment to change its title

    def now(self) -> dict[int, str]:
        """Command line of each that lives, by its number."""
        found, sessions = {}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                if stat[0] == "Z":
                    continue
                number, session = int(folder.name), int(stat[3])
                sessions[number] = session
                if self._mark in (folder / "environ").read_bytes().split(b"\0"):
                    self._sessions.add(session)
                    found[number] = _words(folder)
        for number, session in sessions.items():
            if session in self._sessions and number not in found:
                with contextlib.suppress(OSError):
                    found[number] = _words(Path("/proc") / str(number))
        return found

    def named(self, *parts: str) -> list[int]:
        """Those whose command line holds all these."""
        return [number for number, words in self.now().items() if all(part in words for part in parts)]

    def signal(self, which: int) -> None:
        """To all of them."""
        for number in self.now():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, which)

    def end(self) -> None:
        """What a drill that failed has left."""
        self.signal(signal.SIGKILL)


def _words(folder: Path) -> str:
    return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
