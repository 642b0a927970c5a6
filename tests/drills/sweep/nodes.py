"""A Ray cluster of two nodes on this machine, which asks for a token."""

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.drills.sweep.world import World, expect

UP_S = 120.0
STORE_BYTES = 100 * 2**20
FIRST_PORTS = (21000, 22000)  # of the workers of each node; the system gives others from 32768 on


@contextlib.contextmanager
def two_nodes(world: World) -> Iterator[tuple[str, int]]:
    """Address of the cluster, and the session that all processes of its second node are in."""
    environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    world.environment |= environment
    address = f"127.0.0.1:{_free_port()}"
    head = ("--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false")
    nodes: list[subprocess.Popen[bytes]] = []
    try:
        for number, words in enumerate((head, (f"--address={address}",))):
            nodes.append(_node(world, number, *words))
            _await(world, f"ray-node-{number}.log", nodes[-1])
        yield address, nodes[1].pid
    finally:
        for process in world.processes.now():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(process) in [node.pid for node in nodes]:
                    os.kill(process, signal.SIGKILL)
        for node in nodes:
            node.wait()


def _node(world: World, number: int, *words: str) -> subprocess.Popen[bytes]:
    first = FIRST_PORTS[number]
    command = [
        *(str(Path(sys.executable).parent / "ray"), "start", "--block", "--disable-usage-stats"),
        *words,
        "--node-ip-address=127.0.0.1",
        "--num-cpus=1",
        f"--object-store-memory={STORE_BYTES}",
        f"--dashboard-agent-listen-port={_free_port()}",
        f"--min-worker-port={first}",
        f"--max-worker-port={first + 200}",
        *([f"--temp-dir={world.temporary / 'c'}"] if number == 0 else []),
    ]
    environment = {k: v for k, v in (os.environ | world.environment).items() if v is not None}
    with (world.folder / f"ray-node-{number}.log").open("w") as log:
        return subprocess.Popen(
            command,
            env=environment | {"RAY_worker_niceness": "0"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _await(world: World, log: str, node: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + UP_S
    while "Ray runtime started" not in (said := (world.folder / log).read_text()):
        expect(
            node.poll() is None and time.monotonic() < end_s, f"a node of Ray did not start: {said[-300:]}"
        )
        time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
