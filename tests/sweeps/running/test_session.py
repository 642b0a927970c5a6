"""Ray in a process of its own: its death is noticed at once, and nothing of it outlives the sweep's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sweeps.running.session import RayGoneError, Session, Wanted, ray_process

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

SWEEP = """
import sys, time
from pathlib import Path
from sweeps.running.session import Wanted, ray_process
with ray_process(Wanted()) as session:
    assert session.nodes(given_up=lambda: False)
    print("up", flush=True)
    time.sleep(600)
"""


def holder_of(parent: int) -> tuple[int, Path]:
    """The process that holds Ray for another one, and the folder that Ray writes to."""
    for number, (_, above, _) in processes().items():
        words = Path(f"/proc/{number}/cmdline").read_text().split("\0")
        if above == parent and any("sweeps.running.tune" in word for word in words):
            (folder,) = (Path(word) for word in words if Path(word).name.startswith("ray-"))
            return number, folder
    raise AssertionError("nobody holds Ray")


def processes() -> dict[int, tuple[str, int, int]]:
    """State, parent and session of each process that lives."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent, _, session = file.read_text().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if state != "Z":
            found[int(file.parent.name)] = state, int(parent), int(session)
    return found


def members(leader: int) -> list[int]:
    return [number for number, (_, _, session) in processes().items() if session == leader]


def wait_for_none(session: Session) -> None:
    """Hear all that is said until there is silence."""
    while session.receive(20.0) is not None:
        pass


def seconds_until(what: Callable[[], bool]) -> float:
    began_s = time.monotonic()
    while not what():
        assert time.monotonic() - began_s < 30
        time.sleep(0.05)
    return time.monotonic() - began_s


def test_a_sweep_notices_at_once_that_the_process_that_holds_ray_was_killed(tmp_path: Path) -> None:
    with ray_process(Wanted()) as session:
        nodes = session.nodes(given_up=lambda: False)
        assert nodes is not None
        assert sum(node.cpus for node in nodes) >= 1
        holder, folder = holder_of(os.getpid())
        assert len(members(holder)) >= 3  # itself and two servers
        assert folder.is_dir()
        os.kill(holder, signal.SIGKILL)
        began_s = time.monotonic()
        with pytest.raises(RayGoneError, match="its process ended"):
            wait_for_none(session)
        assert time.monotonic() - began_s < 5
        with pytest.raises(RayGoneError):
            session.send(None)
    assert members(holder) == []
    assert not folder.exists()


def test_nothing_of_ray_outlives_a_sweep_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SWEEP, str(tmp_path / "ray.log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweep:
        assert sweep.stdout is not None
        assert sweep.stdout.readline() == "up\n"
        holder, folder = holder_of(sweep.pid)
        assert len(members(holder)) >= 3
        sweep.kill()
        sweep.wait()
        assert seconds_until(lambda: members(holder) == []) < 15
        assert not folder.exists()
