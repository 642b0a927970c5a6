"""Sweeps as jobs of a real SLURM: pre-empted, at their time limit, of two users on one node.

`make infra-test` runs them, in ten minutes.
"""

import csv
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from epropnp.inference.model import load_checkpoint
from sweeps.results.tables import LATENCIES
from tests.infra import slurm
from tests.infra.slurm import ROOT, Job, Slurm

EPOCHS = 6
ALONE = ["--known", "no"]  # each job trains itself what another one has trained before
UPDATES = 200  # of an epoch, which takes ten seconds or so: what happens just after one is in mid-epoch
BATCH_SIZE = 2
SETTINGS = [
    *("--recipe", "quick", "--objects", "ape", "--backbones", "test_resnet", "--set", "model.input_px=64"),
    *(
        "model.head_width=16",
        "pnp.amis_samples=8",
        f"optim.batch_size={BATCH_SIZE}",
        "optim.precision=float32",
    ),
    *("data.points=32", "evaluation.proposals=4", "evaluation.iterations=3"),
]
BUILD = [
    "build.validation=8",
    "build.test=16",
    "build.mesh_resolution=24",
    "build.background_count=8",
]  # of --set
ONE_CORE = ["--nodes=1", "--cpus-per-task=1", "--gpus-per-node=0", "--nodelist=n0"]
BOTH_CORES = ["--nodes=1", "--cpus-per-task=2", "--gpus-per-node=0", "--nodelist=n0"]
BATCH = "infra/slurm/sweep.sbatch"
USERS = ("nobody", "daemon")  # which every system has

_missing = "takes ten minutes: make infra-test" if "INFRA_TEST" not in os.environ else slurm.why_not()
pytestmark = [
    pytest.mark.skipif(_missing is not None, reason=_missing or ""),
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that all users can enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(place: Path) -> Iterator[Slurm]:
    (place / "slurm").mkdir()
    with slurm.slurm(place / "slurm") as found:
        yield found


def sweep(folder: Path, epochs: int, updates: int) -> list[str]:
    """Words of a sweep; in one folder, each job's is named by the job."""
    length = [f"build.train={BATCH_SIZE * updates}", "--epochs", str(epochs)]
    return [*SETTINGS, *BUILD, *length, *ALONE, "--out", f"{folder}/runs", "--datasets", f"{folder}/data"]


@pytest.fixture(scope="module")
def undisturbed(cluster: Slurm, place: Path) -> Job:
    """The sweep as a job that nothing interrupts; it builds the dataset of the disturbed ones, too."""
    job = cluster.submit([*BOTH_CORES, BATCH, *sweep(place, EPOCHS, UPDATES)], place)
    ended = job.end()
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("COMPLETED", "0:0", "0"), job.said()
    return job


def results(place: Path, job: Job) -> dict[str, Any]:
    """Of the job's sweep, all that must not depend on what happened to it: the table, losses, predictions."""
    folder = place / "runs" / f"slurm-{job.number}"
    with (folder / "table.csv").open() as file:
        (row,) = csv.DictReader(file)
    for title in ("seconds", *LATENCIES):
        row.pop(title)
    (trial,) = (folder / "trials").iterdir()
    result = json.loads((trial / "result.json").read_text())
    predictions = (trial / "predictions.parquet").read_bytes()
    return {"row": row, "losses": result["train_loss"], "scores": result["test"], "predictions": predictions}


def told(what: str, ended: dict[str, str]) -> None:
    """Say what was seen, for `make infra-test`."""
    seen = " ".join(f"{key}={ended[key]}" for key in ("JobState", "ExitCode", "Restarts", "RunTime"))
    sys.stdout.write(f"\n{what}: {seen}\n")


def epochs_done(place: Path, job: Job) -> int:
    """By the job's trial so far; -1 before its first evaluation."""
    for note in (place / "runs" / f"slurm-{job.number}" / "trials").glob("*/status.json"):
        return len(json.loads(note.read_text())["history"]) - 1
    return -1


def interrupted_at(place: Path, job: Job) -> tuple[int, int]:
    """Epoch and update within the next one of the checkpoint that the job's trial left."""
    (trial,) = (place / "runs" / f"slurm-{job.number}" / "trials").iterdir()
    saved = load_checkpoint(trial / "checkpoint.pt")["state"]
    status = json.loads((trial / "status.json").read_text())
    assert (status["status"], "interrupted" in status["reason"]) == ("waiting", True)
    return saved["epoch"], saved["step"]


def test_a_preempted_sweep_goes_on_in_mid_epoch_and_ends_as_if_it_had_not_been(
    cluster: Slurm, place: Path, undisturbed: Job
) -> None:
    job = cluster.submit([*BOTH_CORES, BATCH, *sweep(place, EPOCHS, UPDATES)], place)
    job.wait(lambda: epochs_done(place, job) >= 1, "no first epoch")
    urgent = cluster.submit(["--partition=high", *BOTH_CORES, "--wrap", "sleep 5"], place)
    asked = time.monotonic()
    job.wait(lambda: job.state()["JobState"] == "PENDING", "it is not requeued", 90)
    took_s = time.monotonic() - asked
    epoch, update = interrupted_at(place, job)
    assert urgent.end()["JobState"] == "COMPLETED"
    ended = job.end()
    said = job.said()
    told(f"pre-empted after epoch {epoch}, update {update}; requeued {took_s:.0f} s later", ended)
    assert took_s < 60  # it does not wait for the end of its grace time
    assert 1 <= epoch < EPOCHS
    assert 0 < update < UPDATES
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("COMPLETED", "0:0", "1")
    assert re.findall(r": (start \d|requeued)", said) == ["start 1", "requeued", "start 2"]
    assert results(place, job) == results(place, undisturbed)
    assert not list(Path("/tmp").glob(f"ray-{job.number}-*"))


def test_a_sweep_that_reaches_its_time_limit_goes_on(cluster: Slurm, place: Path, undisturbed: Job) -> None:
    """The limit is drawn near when the training runs, however fast this machine is.

    Limits are whole minutes, and SLURM looks every 30 s: it tells the job within these.
    """
    limit = ["--time=30", "--signal=B:TERM@90"]
    job = cluster.submit([*limit, *BOTH_CORES, BATCH, *sweep(place, EPOCHS, UPDATES)], place)
    job.wait(lambda: epochs_done(place, job) >= 1, "no first epoch")
    hours, minutes, _ = map(int, job.state()["RunTime"].split(":"))
    set_limit(job, 60 * hours + minutes + 2)
    job.wait(lambda: job.state()["JobState"] == "PENDING", "it is not requeued", 120)
    epoch, update = interrupted_at(place, job)
    set_limit(job, 30)
    ended = job.end()
    said = job.said()
    told(f"interrupted after epoch {epoch}, update {update}", ended)
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("COMPLETED", "0:0", "1")
    assert re.findall(r": (start \d|requeued)", said) == ["start 1", "requeued", "start 2"]
    assert results(place, job) == results(place, undisturbed)


def set_limit(job: Job, minutes: int) -> None:
    """Change the time limit of a job, as root may."""
    slurm.run(["scontrol", "update", f"JobId={job.number}", f"TimeLimit={minutes}"], job.environment)


def _has_ray(job: Job) -> bool:
    return "Ray: 1 nodes" in job.said()


def test_two_users_share_a_node(cluster: Slurm, place: Path) -> None:
    people = [pwd.getpwnam(name) for name in USERS]
    jobs = []
    for person in people:
        home = place / person.pw_name
        home.mkdir(mode=0o700)
        os.chown(home, person.pw_uid, person.pw_gid)
        user = (person.pw_uid, person.pw_gid)
        _skip_where_unreadable(user)
        jobs.append(cluster.submit([*ONE_CORE, BATCH, *sweep(home, 2, 20), "--name", "mine"], home, user))
    for job in jobs:
        job.wait(partial(_has_ray, job), "no Ray")
    assert [job.state()["JobState"] for job in jobs] == ["RUNNING", "RUNNING"]
    for job, person in zip(jobs, people, strict=True):
        (folder,) = Path("/tmp").glob(f"ray-{job.number}-0-*")
        assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (person.pw_uid, 0o700)
    assert _tokens_in_command_lines(jobs) == []
    first, second = (re.findall(r"Ray: 1 nodes at .*:(\d+)", job.said()) for job in jobs)
    assert first != second
    for job, person in zip(jobs, people, strict=True):
        ended = job.end()
        told(person.pw_name, ended)
        assert (ended["JobState"], ended["NodeList"]) == ("COMPLETED", "n0"), job.said()
        assert (place / person.pw_name / "runs" / "mine" / "table.csv").stat().st_uid == person.pw_uid
        assert not list(Path("/tmp").glob(f"ray-{job.number}-*"))


def test_two_nodes_are_one_ray(cluster: Slurm, place: Path) -> None:
    nodes = ["--nodes=2", "--cpus-per-task=1", "--gpus-per-node=0"]
    job = cluster.submit([*nodes, BATCH, *sweep(place, 1, 20), "--seeds", "0", "1"], place)
    ended = job.end()
    told("two nodes", ended)
    assert (ended["JobState"], ended["ExitCode"], ended["NumNodes"]) == ("COMPLETED", "0:0", "2"), job.said()
    assert "Ray: 2 nodes" in job.said()
    assert "trials at once: 2; each has cores: 1" in job.said()
    assert not list(Path("/tmp").glob(f"ray-{job.number}-*"))


def test_what_is_mistyped_fails_the_job(cluster: Slurm, place: Path) -> None:
    job = cluster.submit([*ONE_CORE, BATCH, "--epochs", "0"], place)
    ended = job.end()
    assert (ended["JobState"], ended["ExitCode"], ended["Restarts"]) == ("FAILED", "2:0", "0")
    assert "error: --epochs: 0 is not at least 1" in job.said()


def _skip_where_unreadable(user: tuple[int, int]) -> None:
    command = [f"{slurm.VENV}/bin/python", "-c", "import ray, sweeps"]
    done = subprocess.run([*slurm.as_user(user), *command], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"other users cannot use {slurm.VENV} in {ROOT}: name another VENV")


def _tokens_in_command_lines(jobs: list[Job]) -> list[str]:
    """Command lines of this machine that hold the token of one of the jobs; each job has one."""
    numbers = {str(job.number) for job in jobs}
    tokens, lines = set(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            lines.append((process / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:  # it has ended
            continue
        environment = dict(word.split("=", 1) for word in words if "=" in word)
        if environment.get("SLURM_JOB_ID") in numbers and "RAY_AUTH_TOKEN" in environment:
            tokens.add(environment["RAY_AUTH_TOKEN"])
    assert len(tokens) == len(jobs)
    return [line for line in lines if any(token in line for token in tokens)]
