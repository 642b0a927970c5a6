"""A SLURM of a test's own: two nodes that are this machine, a partition that another pre-empts."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
VENV = os.path.abspath(os.environ.get("VENV", sys.prefix))  # which all users can use, if they share a node
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "scontrol", "scancel", "setpriv")
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge.sock,cred_expire=5
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldPort={ports[0]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/affinity
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=30
MinJobAge=3600
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
NodeName=n0 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2
PartitionName=low Nodes=n0,n1 Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=60 State=UP
PartitionName=high Nodes=n0,n1 PriorityTier=10 PreemptMode=OFF State=UP
"""
# A job that waits for a second time does so for as long as credentials are good (cred_expire): 5 s here, 2
# minutes as SLURM comes. The cores of both nodes are the same two.


def why_not() -> str | None:
    """What is missing here; None: nothing."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"needs SLURM (infra/README.md says how to install it): no {', '.join(missing)}"
    return None if os.geteuid() == 0 else "needs root, as which SLURM's daemons run jobs of several users"


@dataclass(frozen=True)
class Job:
    """One that was submitted."""

    number: int
    log: Path
    environment: Mapping[str, str] = field(repr=False)

    def state(self) -> dict[str, str]:
        """What `scontrol show job` says: JobState, Restarts, ExitCode ..."""
        shown = run(["scontrol", "show", "job", "-o", str(self.number)], self.environment)
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait(self, done: Callable[[], object], what: str, seconds: float = 300) -> None:
        """Wait for something to be so; AssertionError after some time, with the end of the log."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"{what}: {self.state()}\n{self.said()[-3000:]}"
            time.sleep(0.5)

    def end(self, seconds: float = 600) -> dict[str, str]:
        """Wait for its last end; its state then."""
        ends = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        self.wait(lambda: self.state()["JobState"] in ends, "the job does not end", seconds)
        return self.state()


@dataclass(frozen=True)
class Slurm:
    """One that runs."""

    root: Path

    def environment(self, home: Path) -> dict[str, str]:
        """Of a user, and of the jobs that are submitted in it."""
        names = ("PATH", "LANG", "LC_ALL")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        project = {"VENV": VENV, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        return kept | project | {"HOME": str(home), "SLURM_CONF": str(self.root / "slurm.conf")}

    def submit(self, words: Sequence[str], folder: Path, user: tuple[int, int] = (0, 0)) -> Job:
        """Submit a job by `sbatch` from the repository root; its log is in `folder`, the user's own."""
        environment = self.environment(folder)
        told = ["sbatch", "--parsable", f"--output={folder}/%j.log", *words]
        number = int(run([*as_user(user), *told], environment))
        return Job(number, folder / f"{number}.log", environment)


def as_user(user: tuple[int, int]) -> list[str]:
    """Words that run a command as another user and group; what `setpriv` runs itself has root's ways in."""
    return ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups", "env"]


def run(words: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a command prints; AssertionError with its complaint."""
    done = subprocess.run(
        words, env=dict(environment), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
    return done.stdout.strip()


@contextmanager
def slurm(root: Path) -> Iterator[Slurm]:
    """Start one in an empty folder that every user can enter; nothing of it is left at the end."""
    host = socket.gethostname().partition(".")[0]
    config = root / "slurm.conf"
    config.write_text(CONFIG.format(host=host, root=root, ports=_free_ports(3)))
    (root / "state").mkdir()
    (root / "munge").mkdir(mode=0o700)
    key = root / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    munge = [f"--{name}={root}/munge/{name[:-5]}" for name in ("pid-file", "log-file", "seed-file")]
    found = Slurm(root)
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for words in (
            ["munged", "--foreground", f"--socket={root}/munge.sock", f"--key-file={key}", *munge],
            ["slurmctld", "-D", "-f", str(config)],
            *(["slurmd", "-D", "-f", str(config), "-N", node] for node in ("n0", "n1")),
        ):
            with (root / f"{words[0]}-{words[-1].rpartition('/')[2]}.log").open("wb") as log:
                daemons.append(subprocess.Popen(words, stdout=log, stderr=log, env=found.environment(root)))
            time.sleep(1)
        _wait_until_idle(found)
        yield found
    finally:
        _end_jobs(found)
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _wait_until_idle(found: Slurm) -> None:
    environment = found.environment(found.root)
    deadline = time.monotonic() + 60
    while run(["sinfo", "-h", "-p", "low", "-t", "idle", "-o", "%D"], environment) != "2":
        assert time.monotonic() < deadline, run(["sinfo"], environment)
        time.sleep(0.5)


def _end_jobs(found: Slurm) -> None:
    """Kill what a failed test has left, and wait for its end."""
    environment = found.environment(found.root)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["squeue", "-h", "-o", "%A"], env=environment, capture_output=True, text=True, check=False
        )
        left = done.stdout.split()
        if not left:
            return
        subprocess.run(["scancel", "--full", "--signal=KILL", *left], env=environment, check=False)
        subprocess.run(["scancel", *left], env=environment, capture_output=True, check=False)
        time.sleep(2)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
