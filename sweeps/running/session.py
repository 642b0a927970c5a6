"""Ray in a process of its own, seen from the sweep's: messages come from there, answers go back.

Whatever becomes of Ray, the sweep's process goes on, closes its records and says how to go on.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from epropnp.errors import UserError
from pipelines.building.private_ray import START_SECONDS, new_folder
from sweeps.running.cluster import Node, environment
from sweeps.running.processes import END_S, end_session

PROGRAM = "import sys; from sweeps.running.tune import main; sys.exit(main(*sys.argv[1:]))"
START_S = 4.0 * START_SECONDS  # two attempts, of two servers
LOG = "ray.log"  # what Ray says

Message = tuple[Any, ...]


class RayGoneError(Exception):
    """Ray is there no more; its message says how that was noticed."""


class Session:
    """The process that holds Ray.

    Args:
        address: of a cluster to join; None: a Ray of one's own on this machine.
    """

    def __init__(self, address: str | None) -> None:
        self._address = address
        self._connection, theirs = Pipe()
        self._folder = new_folder()
        self._log = self._folder / LOG
        words = [str(theirs.fileno()), str(self._folder), *([] if address is None else [address])]
        seen = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # the same packages as here
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *words],
                env=os.environ | environment(address) | seen,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a terminal's Ctrl-C is heeded by us, for both
            )
        theirs.close()
        self._nodes: Sequence[Node] | None = None

    @property
    def is_here(self) -> bool:
        """Whether Ray is on this machine alone."""
        return self._address is None

    def nodes(self, given_up: Callable[[], bool]) -> Sequence[Node] | None:
        """Those of the cluster, waited for; None where that was given up.

        Raises:
            UserError: there is no cluster at the address, or Ray does not start here.
        """
        began_s = time.monotonic()
        while self._nodes is None and not given_up():
            if time.monotonic() - began_s > START_S:
                raise UserError(f"Ray does not start within {START_S:.0f} s{self._last_words()}")
            match self.receive(0.2):
                case ("cluster", nodes):
                    self._nodes = nodes
                case ("over", error):
                    raise UserError(error)
        return self._nodes

    def receive(self, seconds: float) -> Message | None:
        """The next message; None where none comes in time. RayGoneError where none will."""
        try:
            return tuple(self._connection.recv()) if self._connection.poll(seconds) else None
        except (EOFError, OSError):
            raise RayGoneError(f"its process ended{self._last_words()}") from None

    def send(self, answer: Any) -> None:
        """Answer what was asked, or command what to do next. RayGoneError where nobody hears it."""
        try:
            self._connection.send(answer)
        except OSError:
            raise RayGoneError(f"its process ended{self._last_words()}") from None

    def keep_log(self, folder: Path) -> None:
        """Leave what the process has said in a folder, as far as that can be."""
        with contextlib.suppress(OSError):
            shutil.copy(self._log, folder / LOG)

    def close(self) -> None:
        """End Ray and what runs on it: by itself, if it runs and can do that in a moment."""
        if self._nodes is not None:
            with contextlib.suppress(RayGoneError):
                self.send(None)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        self.kill()
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def kill(self) -> None:
        """End all processes of the session at once: Ray's servers and, on this machine, the trials."""
        end_session(self._process.pid)
        self._process.wait()

    def _last_words(self) -> str:
        """The last line of its log."""
        lines = self._log.read_text(errors="replace").split("\n") if self._log.is_file() else []
        said = [line.strip() for line in lines if line.strip()]
        return f" ({said[-1]})" if said else ""


@contextlib.contextmanager
def ray_process(address: str | None) -> Iterator[Session]:
    """Start one; however the block ends, nothing of it stays."""
    session = Session(address)
    try:
        yield session
    finally:
        session.close()
