"""Where a drill happens: a working folder of its own, drivers as real processes, and what they leave."""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.building.private_ray import PREFIX
from sweeps.folder import SWEEP_FILE, TRIALS
from sweeps.tracking.experiment import DATABASE, SQLITE
from tests.drills.sweep.ground import EPOCHS, ROOT, Ground
from tests.drills.sweep.processes import MARK, Processes

LONG_S = 400.0  # for whatever happens at all, on a busy machine
GONE_S = 30.0  # after which no process may be left
END_S = 60.0  # for a driver that was told to end


class Differs(Exception):
    """Something is not as it has to be."""


class Skipped(Exception):
    """This drill cannot be done here."""


def expect(right: bool, text: str) -> None:
    """Differs where something is not right."""
    if not right:
        raise Differs(text)


class Driver:
    """A sweep's own process, in a session of its own.

    Attributes:
        log: file of what it says.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process, self.log = process, log

    @property
    def said(self) -> str:
        """All that it has said."""
        return self.log.read_text(errors="replace")

    @property
    def told_to_go_on(self) -> list[str] | None:
        """The words of the command that it advised."""
        found = re.findall(r"go on with: python (sweeps/backbones\.py .+)", self.said)
        return shlex.split(found[-1]) if found else None

    def signal(self, which: int) -> None:
        """Send it one."""
        os.kill(self.process.pid, which)

    def kill(self) -> None:
        """Kill it alone."""
        self.process.kill()
        self.process.wait()

    def wait(self, seconds: float = LONG_S) -> int:
        """Its exit code; Differs where it does not end."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Differs(f"the driver did not end within {seconds:.0f} s") from None


class World:
    """One drill's.

    Args:
        ground: shared by all.
        folder: for it, new.

    Attributes:
        out: working folder of its sweeps.
        environment: of its drivers, over one's own; None: not there.
        other_database: of MLflow, in its place.
        prefix: words before the command of a driver.
        words: flags that are added to those of the ground.
        full: whether networks are timed and registered and figures drawn, which takes longer than the trials.
        database: of MLflow, a file.
        stored: where a server of it keeps files; None: there is no server.
        rays: folders that Rays of this drill were given.
        last: the driver that was started last, or that counts as such.
        stack: what is undone when the drill is over.
    """

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground, self.folder, self.out = ground, folder, folder / "out"
        self.out.mkdir(parents=True)
        self.name = "drill"
        self.database = self.out / DATABASE
        self.stored: Path | None = None
        self.other_database: str | None = None
        shutil.copy(ground.database, self.database)
        self.stack = contextlib.ExitStack()
        temporary = Path(self.stack.enter_context(tempfile.TemporaryDirectory(prefix="d-", dir="/tmp")))
        mark = temporary.name
        self.processes = Processes(mark)
        self.temporary = temporary
        self.environment: dict[str, str | None] = {
            MARK: mark,
            "TMPDIR": str(temporary),
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "1",
            "MLFLOW_TRACKING_URI": None,
            "EPROPNP_CACHE": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1",
        }
        self.prefix: list[str] = []
        self.words: list[str] = []
        self.full = False
        self.rays: set[Path] = set()
        self._drivers: list[Driver] = []
        self.last: Driver

    @property
    def tracking(self) -> str:
        """Where to look at MLflow's records."""
        return self.other_database or f"{SQLITE}{self.database}"

    @property
    def sweep(self) -> Path:
        """Folder of the sweep."""
        return self.out / self.name

    def start(self, *more: str, name: str | None = None, words: list[str] | None = None) -> Driver:
        """A driver: the call that starts the sweep, and goes on with it.

        Args:
            more: flags to add.
            name: of another sweep.
            words: the program and flags to call instead.
        """
        given = ["sweeps/backbones.py", *self.ground.words, *self.words, "--out", str(self.out)]
        given += ["--name", name or self.name, "--resume-or-start", *more]
        given += [] if self.full else ["--figures", "no", "--keep", "none"]
        log = self.folder / f"driver-{len(self._drivers)}.log"
        environment = {k: v for k, v in (os.environ | self.environment).items() if v is not None}
        with log.open("w") as output:
            process = subprocess.Popen(
                [*self.prefix, sys.executable, *(words or given)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.last = Driver(process, log)
        self._drivers.append(self.last)
        return self.last

    def start_again(self) -> Driver:
        """A driver that goes on as the last one advised, else by the same call."""
        return self.start(words=self.last.told_to_go_on)

    def go_on(self) -> None:
        """The same, to its end."""
        code = self.start_again().wait()
        expect(code == 0, f"going on ended with {code}")

    def until(self, what: Callable[[], bool], text: str, seconds: float = LONG_S) -> None:
        """Wait for something while the newest driver lives."""
        end_s = time.monotonic() + seconds
        while not what():
            expect(self.last.process.poll() is None, f"the driver ended before {text}")
            expect(time.monotonic() < end_s, f"after {seconds:.0f} s not yet: {text}")
            time.sleep(0.02)
        self.look()

    def look(self) -> dict[int, str]:
        """The processes of the drill; remembers what they use."""
        found = self.processes.now()
        for words in found.values():
            if "sweeps.running.tune" in words:
                self.rays |= {Path(word) for word in words.split() if Path(word).name.startswith(PREFIX)}
        return found

    def trials(self) -> list[Path]:
        """Folders of the trials that were begun, in the order in which they began."""
        found = [file.parent for file in (self.sweep / TRIALS).glob("*/trial.json")]
        return sorted(found, key=lambda folder: (folder / "trial.json").stat().st_mtime_ns)

    def training(self, least: int = 2) -> list[Path]:
        """Trials that train, and have ended so many epochs."""
        held = [folder for folder in self.trials() if _holder(folder) is not None]
        return [folder for folder in held if least <= _epochs(folder) < EPOCHS]

    def in_an_epoch(self, least: int = 2, trials: int = 1) -> list[Path]:
        """Wait until trials train; which."""
        self.until(lambda: len(self.training(least)) >= trials, "trials train")
        return self.training(least)

    def begun(self) -> bool:
        """Whether the sweep is noted."""
        return (self.sweep / SWEEP_FILE).exists()

    def results(self) -> int:
        """How many trials have finished."""
        return len(list((self.sweep / TRIALS).glob("*/result.json")))

    def process_of(self, trial: Path) -> int:
        """That trains it."""
        holder = _holder(trial)
        if holder is None:
            raise Differs(f"{trial.name} is held by nobody")
        return holder

    def expect_nobody(self) -> None:
        """No process is left, soon."""
        end_s = time.monotonic() + GONE_S
        while (left := self.look()) and time.monotonic() < end_s:
            time.sleep(0.2)
        told = "; ".join(f"{number} {words[:60]}" for number, words in left.items())
        expect(not left, f"{len(left)} processes are left after {GONE_S:.0f} s: {told}")

    def close(self) -> None:
        """End what is left, and undo what was done for the drill."""
        self.look()
        self.processes.end()
        for driver in self._drivers:
            driver.kill()
        self.stack.close()


def kill(process: int) -> None:
    """Without a chance to say anything."""
    os.kill(process, signal.SIGKILL)


def _epochs(folder: Path) -> int:
    """That a trial has ended, the one before the first included."""
    try:
        return len(json.loads((folder / "status.json").read_text())["history"])
    except (OSError, ValueError, KeyError):
        return 0


def _holder(folder: Path) -> int | None:
    """The process that trains a trial, if it lives."""
    try:
        process = int(json.loads((folder / ".claim").read_text())["process"])
    except (OSError, ValueError, KeyError):
        return None
    return process if Path("/proc", str(process)).exists() else None
