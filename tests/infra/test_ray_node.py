"""A node of a job's Ray: its own ports and folder; nothing of it is ended too early, nothing is left."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.slurm import ray_node

ROOT = Path(__file__).parents[2]
NODE = """
import sys
from infra.slurm import ray_node
ray, role, ray_node.tempfile.tempdir = sys.argv[1:]
ray_node.LONGEST_TMPDIR = 1000
ray_node.start_command = lambda address, head, temporary: ["bash", "-c", ray, "ray", str(temporary)]
sys.exit(ray_node.run_node("h:20400", role == "head"))
"""
# Its second process leaves session and parent, as workers may.
RAY = "mkdir $1; (setsid bash -c 'echo $$ > $0/orphan; exec sleep 100' $1 &); while :; do sleep 0.1; done"


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> str:
    """One that SLURM would not number so; other tests may have Ray's ports."""
    monkeypatch.setenv("SLURM_JOB_ID", "7300017")
    return "7300017"


def ports_of(words: list[str]) -> list[int]:
    """All that these words give to servers, and the workers' range."""
    given = {name: int(value) for name, _, value in (w[2:].partition("=") for w in words) if "port" in name}
    workers = range(given.pop("min-worker-port"), given.pop("max-worker-port") + 1)
    return [*given.values(), *workers]


def test_jobs_that_follow_each_other_have_ports_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred jobs do; by hand: the range of job 7 begins at 20000 + 7 x 400."""
    monkeypatch.setattr(ray_node, "_is_free", lambda port: True)
    assert ray_node.free_ports(7) == ray_node.free_ports(107) == 22800
    found: list[int] = []
    for job in range(100):
        monkeypatch.setenv("SLURM_JOB_ID", str(job))
        node = ports_of(ray_node.start_command("h:1", head=False, temporary=Path("t")))
        head = ports_of(
            ray_node.start_command(f"h:{ray_node.free_ports(job)}", head=True, temporary=Path("t"))
        )
        assert set(node) < set(head)
        found += head
    assert len(set(found)) == len(found)
    assert (min(found), max(found)) == (20000, 59999)


def test_ports_that_another_has_are_passed_over(job: str) -> None:
    first = ray_node.free_ports(int(job))
    with socket.socket() as other:
        other.bind(("", first + 399))
        other.listen()
        assert not first <= ray_node.free_ports(int(job)) < first + 400


def test_a_node_takes_what_slurm_gave_and_tells_no_secret(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "2")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "hush")
    words = ray_node.start_command("10.0.0.1:20400", head=True, temporary=Path("/tmp/x/s"))
    assert {"--num-cpus=3", "--num-gpus=2", "--temp-dir=/tmp/x/s", "--head", "--port=20400"} < set(words)
    assert "--node-ip-address=10.0.0.1" in words
    assert "hush" not in " ".join(words)
    words = ray_node.start_command("10.0.0.1:20400", head=False, temporary=Path("/tmp/x/s"))
    assert "--address=10.0.0.1:20400" in words
    assert not [word for word in words if word.startswith(("--port=", "--head", "--dashboard-port"))]


def test_a_folder_is_private_and_earlier_starts_leave_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_node.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(ray_node, "LONGEST_TMPDIR", 1000)
    other = ray_node.temporary_folder(170, 0)
    first, second = (ray_node.temporary_folder(17, 0) for _ in range(2))  # nodes of one machine
    assert first.stat().st_mode & 0o777 == 0o700
    assert set(tmp_path.iterdir()) == {other, first, second}
    again = ray_node.temporary_folder(17, 1)
    assert set(tmp_path.iterdir()) == {other, again}


@pytest.mark.parametrize("role", ["head", "other"])
def test_sigterm_ends_nothing_and_is_passed_on_by_the_head_alone(role: str, job: str, tmp_path: Path) -> None:
    batch = subprocess.Popen(["bash", "-c", "trap 'exit 3' TERM; while :; do sleep 0.1; done"])
    node = start(RAY, role, tmp_path, batch.pid)
    orphan = int(wait_for(tmp_path, "ray-*/s/orphan").read_text())
    processes = [node.pid, *children(node.pid), orphan]
    assert len(processes) == 3
    for pid in reversed(processes):  # as SLURM does with linuxproc
        os.kill(pid, signal.SIGTERM)
    time.sleep(1)
    assert node.poll() is None
    assert all(is_there(pid) for pid in processes)
    if role == "head":
        assert batch.wait(10) == 3
    else:
        assert batch.poll() is None
        batch.kill()
        batch.wait()
    node.send_signal(signal.SIGUSR1)
    assert node.wait(10) == 0
    assert not any(is_there(pid) for pid in processes)
    assert list(tmp_path.glob("ray-*")) == []


def test_a_node_that_ends_by_itself_leaves_nothing(job: str, tmp_path: Path) -> None:
    node = start(RAY.partition("; while")[0] + "; sleep 2", "other", tmp_path, 0)
    orphan = int(wait_for(tmp_path, "ray-*/s/orphan").read_text())
    assert node.wait(20) == 1
    assert not is_there(orphan)
    assert list(tmp_path.glob("ray-*")) == []


def test_nobody_waits_for_a_node_that_has_ended() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # where nothing listens
        with pytest.raises(SystemExit, match="0 of 2 nodes are up, and one has ended"):
            ray_node.wait_for_nodes(f"127.0.0.1:{free.getsockname()[1]}", [os.getpid(), ended.pid])


def start(ray: str, role: str, folder: Path, batch: int) -> "subprocess.Popen[bytes]":
    """A node in a process of its own, whose temporary files go into a test's folder."""
    environment = dict(os.environ) | {"PYTHONPATH": str(ROOT), "BATCH_PID": str(batch)}
    return subprocess.Popen([sys.executable, "-c", NODE, ray, role, str(folder)], env=environment)


def wait_for(folder: Path, pattern: str) -> Path:
    """A file that is not empty."""
    for _ in range(200):
        for file in itertools.islice(folder.glob(pattern), 1):
            if file.read_text():
                return file
        time.sleep(0.1)
    raise AssertionError(f"no {pattern}")


def children(pid: int) -> list[int]:
    """Of a process, by number, but for those that sleep between two looks, and for orphans."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in found if b"while" in Path(f"/proc/{child}/cmdline").read_bytes()]


def is_there(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
