"""Processes of their own that have imported already what trains: to import it takes as long as many a test.

They are forked from one process that has done nothing else, and are real in all that a test looks at: a group
and a session of their own, signals, output, exit codes, what they start themselves, and their end.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Forked:
    """One of them, for a test.

    Attributes:
        pid: of the process, its group and its session.
    """

    def __init__(self, origin: "Origin", pid: int, said: Path) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._origin, self._said = origin, said

    def poll(self) -> int | None:
        """Its exit code; minus a signal's number; None as long as it runs."""
        if self.returncode is None:
            self.returncode = self._origin.ask({"ended": self.pid})
        return self.returncode

    def wait(self, timeout: float = 60) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"process {self.pid} does not end"
            time.sleep(0.02)
        return code

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """What it said on its two outputs, when it has ended."""
        self.wait(timeout)
        return self._said.with_suffix(".out").read_text(), self._said.with_suffix(".err").read_text()

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Origin:
    """The process that has imported everything.

    Args:
        folder: for what processes say.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0
        command = [sys.executable, "-c", "from tests.forked import serve; serve()"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )

    def start(self, words: Sequence[str]) -> Forked:
        """Like `python *words`, of which the first is `-c` or `-m`."""
        self._count += 1
        said = self._folder / str(self._count)
        return Forked(self, self.ask({"words": list(words), "said": str(said)}), said)

    def ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End it; what it has started ends by itself."""
        self._process.communicate(timeout=60)


def serve() -> None:
    """Fork what is asked for, and tell how it ended."""
    gc.disable()  # nothing of what is imported is garbage
    # What programs import where they use it; and what torch's optimisers import when the first is made.
    for name in ("epropnp.training.progress", "epropnp.training.trainer", "torch._dynamo"):
        importlib.import_module(name)
    gc.freeze()  # nor need a fork copy it
    gc.enable()

    for line in sys.stdin:
        request = json.loads(line)
        if "ended" in request:
            pid, status = os.waitpid(request["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif not (answer := os.fork()):
            return _become(request["words"], Path(request["said"]))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return None


def _become(words: list[str], said: Path) -> None:
    """Run a program in this process, which ends with it."""
    os.setsid()
    for number, place in (
        (0, Path(os.devnull)),
        (1, said.with_suffix(".out")),
        (2, said.with_suffix(".err")),
    ):
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    kind, program, *rest = words
    sys.argv = [kind, *rest]
    if kind == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
