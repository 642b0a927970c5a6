"""Ray in a SLURM job: where its head is to listen, one node of it as a step, and whether all are up.

    ray_node.py address               print HOST:PORT of a head on this machine
    ray_node.py start HOST:PORT       a node, until SIGUSR1: the task of a step; --head: the first
    ray_node.py wait HOST:PORT PID... wait until so many nodes are up as there are processes that run them

Where SLURM pre-empts a job it sends SIGTERM to the steps alone (to all their processes, where it tracks them
by their parents) and leaves the batch script untold; but trials must live until the driver has had them write
their checkpoints. So SIGTERM is blocked here and in all that Ray starts, and the head passes it on to the
batch script, which ends the driver and only then, by SIGUSR1, its Ray.
"""

import argparse
import contextlib
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FIRST_PORT = 20000  # above those that Ray takes unasked, below 60000
PORTS = 400  # of a node: servers, and one for each worker process
SLOTS = 100
SERVERS = (  # in the order of their ports, from the first one of the node
    "port",
    "ray-client-server-port",
    "dashboard-port",
    "node-manager-port",
    "object-manager-port",
    "dashboard-agent-listen-port",
    "dashboard-agent-grpc-port",
    "runtime-env-agent-port",
    "metrics-export-port",
)
OF_HEAD = SERVERS[:3]
OBJECT_STORE_BYTES = 100 * 2**20  # what is worked on is read by memory map, results are numbers
LONGEST_TMPDIR = 20  # characters; with what is added below it, the path of a socket has 107 at most
UP_SECONDS = 180
PR_SET_CHILD_SUBREAPER = 36


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 1 where Ray did not come up, or ended by itself."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("address")
    start = commands.add_parser("start")
    start.add_argument("address")
    start.add_argument("--head", action="store_true")
    wait = commands.add_parser("wait")
    wait.add_argument("address")
    wait.add_argument("steps", type=int, nargs="+")
    given = parser.parse_args(words)
    if given.command == "address":
        import ray

        sys.stdout.write(f"{ray.util.get_node_ip_address()}:{free_ports(_job())}\n")
        return 0
    if given.command == "start":
        return run_node(given.address, given.head)
    return wait_for_nodes(given.address, given.steps)


def free_ports(job: int) -> int:
    """The first of `PORTS` ports that are all free here: those of the job, or the next ones."""
    for slot in range(job, job + SLOTS):
        first = FIRST_PORT + slot % SLOTS * PORTS
        if all(map(_is_free, range(first, first + PORTS))):
            return first
    sys.exit(f"error: {socket.gethostname()} has no {PORTS} ports in a row that are free")


def start_command(address: str, head: bool, temporary: Path) -> list[str]:
    """The words of `ray start`: every port of the range of this job and node, nothing where others are."""
    host, _, port = address.rpartition(":")
    first = int(port) if head else free_ports(_job())
    ports = {name: first + k for k, name in enumerate(SERVERS) if head or name not in OF_HEAD}
    if importlib.util.find_spec("grpc") is None:
        ports.pop("ray-client-server-port", None)  # without it there is no such server, and no such flag
    ports |= {"min-worker-port": first + len(SERVERS), "max-worker-port": first + PORTS - 1}
    joining = ["--head", f"--node-ip-address={host}", "--include-dashboard=false"]
    return [
        *(str(Path(sys.executable).parent / "ray"), "start", "--block", "--disable-usage-stats"),
        *(joining if head else [f"--address={address}"]),
        *(f"--{name}={number}" for name, number in ports.items()),
        f"--num-cpus={os.environ.get('SLURM_CPUS_PER_TASK', '1')}",
        f"--num-gpus={os.environ.get('SLURM_GPUS_ON_NODE') or '0'}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--temp-dir={temporary}",
    ]


def run_node(address: str, head: bool) -> int:
    """Be a node until SIGUSR1, then end all its processes and remove what they wrote."""
    own = {signal.SIGUSR1, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, own | {signal.SIGTERM})
    # Who loses its parent becomes a child of this process, so that none is lost from sight.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    folder = temporary_folder(_job(), int(os.environ.get("SLURM_RESTART_COUNT", "0")))
    try:
        ray = subprocess.Popen(
            start_command(address, head, folder / "s"),  # which Ray opens to all
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, own),
        )
        while True:
            found = signal.sigwait(own | {signal.SIGTERM})
            if found == signal.SIGUSR1:
                return 0
            if found == signal.SIGTERM and head:
                os.kill(int(os.environ["BATCH_PID"]), signal.SIGTERM)
            if found == signal.SIGCHLD and ray.pid in _ended():
                if signal.sigtimedwait({signal.SIGUSR1}, 1) is not None:  # which may have reached all of them
                    return 0
                sys.stderr.write(f"error: the Ray node on {socket.gethostname()} ended by itself\n")
                return 1
    finally:
        _kill_children()
        shutil.rmtree(folder, ignore_errors=True)


def temporary_folder(job: int, restart: int) -> Path:
    """A new folder for this user, job and node alone; what earlier starts of the job left here is removed."""
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_TMPDIR else "/tmp"
    for left in Path(parent).glob(f"ray-{job}-*"):
        if left.name.split("-")[2] != str(restart):
            shutil.rmtree(left, ignore_errors=True)  # others' are not ours to remove, which the system knows
    return Path(tempfile.mkdtemp(prefix=f"ray-{job}-{restart}-", dir=parent))  # mode 700


def wait_for_nodes(address: str, steps: Sequence[int]) -> int:
    """Wait until the Ray there has a node for each step.

    Args:
        address: `HOST:PORT`.
        steps: processes on this machine that last as long as the nodes.
    """
    deadline = time.monotonic() + UP_SECONDS
    while (alive := _count_nodes(address)) < len(steps):
        if not all(map(_is_running, steps)):
            sys.exit(f"error: Ray did not start: {alive} of {len(steps)} nodes are up, and one has ended")
        if time.monotonic() > deadline:
            sys.exit(f"error: Ray did not start in {UP_SECONDS} s: {alive} of {len(steps)} nodes are up")
        time.sleep(1)
    return 0


def _count_nodes(address: str) -> int:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()  # for which Ray itself waits 40 s
    except OSError:
        return 0
    import ray

    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR")
        return sum(node["Alive"] for node in ray.nodes())
    except Exception:  # the head is only half up
        return 0
    finally:
        ray.shutdown()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _job() -> int:
    return int(os.environ["SLURM_JOB_ID"])


def _is_free(port: int) -> bool:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was closed just now is free
        try:
            server.bind(("", port))
        except OSError:
            return False
    return True


def _ended() -> set[int]:
    """Processes below this one that have ended since it was asked last."""
    found = set()
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            found.add(pid)
    return found


def _kill_children() -> None:
    """End all processes below this one: children of those that end become its own."""
    while children := Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        for child in map(int, children):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    sys.exit(main())
