"""Ray in a process of its own, seen from the sweep's: messages come from there, answers go back.

Whatever becomes of Ray, the sweep's process goes on, closes its records and says how to go on.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

from epropnp.errors import UserError
from pipelines.building.private_ray import START_SECONDS, new_folder
from sweeps.running.cluster import Node, environment
from sweeps.running.processes import END_S, end_session

PROGRAM = "import sys; from sweeps.running.tune import main; sys.exit(main(*sys.argv[1:]))"
START_S = 4.0 * START_SECONDS  # two attempts, of two servers
FINISHED = "finished"  # an answer: there will be no other trial
LOG = "ray.log"  # what Ray says

Message = tuple[Any, ...]


class RayGoneError(Exception):
    """Ray is there no more; its message says how that was noticed."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What Ray is started for.

    Attributes:
        address: of a cluster to join; None: a Ray of one's own on this machine.
        cores: what a trial will keep busy, as far as is known; None: not at all. Where it comes true, the
            first trials find processes that have loaded what trains.
        at_once, resources: as `sweeps.running.options.Options` has them.
    """

    address: str | None = None
    cores: int | None = None
    at_once: int | None = None
    resources: Mapping[str, float] = field(default_factory=dict)


class Session:
    """The process that holds Ray.

    Args:
        wanted: what for.
    """

    def __init__(self, wanted: Wanted) -> None:
        self._address = wanted.address
        self._connection, theirs = Pipe()
        self._folder = new_folder()
        self._log = self._folder / LOG
        words = [str(theirs.fileno()), str(self._folder), json.dumps(asdict(wanted))]
        seen = {"PYTHONPATH": os.pathsep.join(_packages())}
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *words],
                env=os.environ | environment(wanted.address) | seen,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a terminal's Ctrl-C is heeded by us, for both
            )
        theirs.close()
        self._nodes: Sequence[Node] | None = None
        self._warmed: Mapping[str, float] | None = None  # resources of trials for which processes are loading
        self._kept = False  # what Ray wrote when it did not start

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
                case ("cluster", nodes, warmed):
                    self._nodes, self._warmed = nodes, warmed
                case ("over", error):
                    self._kept = True
                    raise UserError(error)
        return self._nodes

    def begin(self, resources: Mapping[str, float], storage: Path) -> None:
        """Begin a run of trials: from here on it asks for them, and tells of them.

        Args:
            resources: of each.
            storage: folder for Ray Tune's own records, which all nodes see.

        Raises:
            RayGoneError: Ray is there no more.
        """
        warmed, self._warmed = self._warmed, None
        if warmed == resources:
            return  # it has begun
        if warmed is not None:  # what the trials were thought to be
            self.send(FINISHED)
            while (self.receive(END_S) or ("",))[0] != "over":
                pass
        self.send({"resources": dict(resources), "storage": str(storage)})

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
        if self._nodes is not None and self._warmed is None:
            with contextlib.suppress(RayGoneError):
                self.send(None)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        self.kill()
        self._connection.close()
        if not self._kept:
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
def ray_process(wanted: Wanted) -> Iterator[Session]:
    """Start one; however the block ends, nothing of it stays."""
    session = Session(wanted)
    try:
        yield session
    finally:
        session.close()


def _packages() -> list[str]:
    """Where this process finds packages; not the folder of a script, whose modules have names of others'."""
    scripts = Path(__file__).parents[1]
    return [place for place in sys.path if place and Path(place).resolve() != scripts]
