"""What `sweep.sbatch` does and in which order, with made-up SLURM, Ray and driver."""

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

PYTHON = """#!/usr/bin/env bash
# In place of Python: the driver, and what starts Ray.
case "$*" in
    -c*) echo 0badc0de ;;
    *"ray_node.py address") echo 10.0.0.1:20400 ;;
    *"ray_node.py wait"*)
        until [ "$(grep -c ^srun: "$SAID")" -ge $(($# - 3)) ]; do sleep 0.05; done # a node is up
        echo "wait $4" >> "$SAID"; sleep "$WAIT_S" > /dev/null ;;
    *backbones.py*)
        printf '<%s> ' "$@" >> "$SAID"
        echo "token $RAY_AUTH_TOKEN" >> "$SAID"
        trap 'echo "driver: SIGTERM" >> "$SAID"; sleep "$DRIVER_S" > /dev/null; exit "$DRIVER_CODE"' TERM
        [ -n "$ENDLESS" ] || exit "$DRIVER_CODE"
        while :; do sleep 0.1; done ;;
esac
"""
SRUN = """#!/usr/bin/env bash
echo "srun: $*" >> "$SAID"
trap 'echo "Ray: SIGUSR1" >> "$SAID"; exit 0' USR1
[ -z "$BATCH_IS_TOLD" ] || { sleep 1; kill -TERM "$BATCH_PID"; } # as Ray's head does
while :; do sleep 0.1; done
"""
SCONTROL = """#!/usr/bin/env bash
echo "scontrol: $*" >> "$SAID"
case "$2" in
    hostnames) printf 'n1\\nn2\\n' ;;
    job) echo "JobId=17 JobState=$STATE Reason=None" ;;
    *) exit "$REFUSED" ;;
esac
"""


@dataclass(frozen=True)
class Batch:
    """The script, to be started in an environment of fakes."""

    folder: Path

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        told = {"SLURM_SUBMIT_DIR": str(ROOT), "SLURM_JOB_ID": "17", "SLURM_JOB_NODELIST": "n1"}
        told |= {"SLURMD_NODENAME": "n1", "SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_PARTITION": "low"}
        told |= {"SLURM_CPUS_PER_TASK": "4", "VENV": str(self.folder / "venv"), "SAID": str(self.said)}
        told |= {"DRIVER_CODE": "0", "DRIVER_S": "0", "ENDLESS": "", "STATE": "RUNNING", "REFUSED": "0"}
        told |= {"PATH": f"{self.folder}/bin:/usr/bin:/bin", "BATCH_IS_TOLD": "", "WAIT_S": "0"}
        told |= {"PATIENCE_S": "30"} | environment
        script = self.folder / "slurm_script"  # SLURM runs a copy
        text = (ROOT / "infra/slurm/sweep.sbatch").read_text()
        assert "\npatience_s=60 " in text
        script.write_text(text.replace("\npatience_s=60 ", "\npatience_s=$PATIENCE_S "))
        return subprocess.Popen(
            ["bash", script, *words], env=told, stdout=subprocess.PIPE, stderr=2, text=True
        )

    @property
    def said(self) -> Path:
        return self.folder / "said"

    def lines(self) -> list[str]:
        return self.said.read_text().splitlines() if self.said.exists() else []

    def wait_for(self, start: str) -> None:
        deadline = time.monotonic() + 30
        while not any(line.startswith(start) for line in self.lines()):
            assert time.monotonic() < deadline, self.lines()
            time.sleep(0.05)


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    programs = {"venv/bin/python": PYTHON, "bin/srun": SRUN, "bin/scontrol": SCONTROL}
    for name, text in programs.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Batch(tmp_path)


def interrupted(batch: Batch, *words: str, **environment: str) -> tuple[int, str]:
    """Exit code and output of a job that SLURM tells of its time limit; twice, as a pre-emption may."""
    job = batch.start(*words, ENDLESS="yes", **({"DRIVER_CODE": "75", "DRIVER_S": "2"} | environment))
    batch.wait_for("<sweeps/backbones.py>")
    time.sleep(0.3)  # for the driver's handler
    job.send_signal(signal.SIGTERM)
    batch.wait_for("driver: SIGTERM")
    job.send_signal(signal.SIGTERM)
    printed, _ = job.communicate(timeout=60)
    return job.returncode, printed


def test_a_sweep_is_named_by_its_job_and_a_name_of_the_users_comes_later(batch: Batch) -> None:
    job = batch.start("--name", "mine", "--seeds", "0")
    assert job.wait(60) == 0
    (driver,) = [line for line in batch.lines() if line.startswith("<sweeps/backbones.py>")]
    assert driver == (
        "<sweeps/backbones.py> <--ray-address> <10.0.0.1:20400> <--name> <slurm-17> <--resume-or-start> "
        "<--name> <mine> <--seeds> <0> token 0badc0de"
    )
    (step,) = [line for line in batch.lines() if line.startswith("srun:")]
    assert "--cpus-per-task=4 --nodelist=n1" in step
    assert "0badc0de" not in step


def test_every_node_is_waited_for(batch: Batch) -> None:
    job = batch.start(SLURM_JOB_NUM_NODES="2", SLURM_JOB_NODELIST="n[1-2]")
    assert job.wait(60) == 0
    order = [line.partition("--nodelist=")[2] or line for line in batch.lines() if "scontrol" not in line]
    assert [line.partition(" ")[0] for line in order[:4]] == ["n1", "wait", "n2", "wait"]
    assert order[0].endswith("start 10.0.0.1:20400 --head")
    assert order[2].endswith("start 10.0.0.1:20400")


@pytest.mark.parametrize("code", [0, 75])
def test_the_exit_code_is_the_sweeps_and_nothing_is_requeued_that_was_not_interrupted(
    batch: Batch, code: int
) -> None:
    assert batch.start(DRIVER_CODE=str(code)).wait(60) == code
    assert batch.lines()[-1] == "Ray: SIGUSR1"


def test_the_driver_is_told_once_and_ends_before_ray_and_the_job_is_requeued(batch: Batch) -> None:
    code, printed = interrupted(batch)
    assert code == 75
    assert batch.lines()[-4:] == [
        "driver: SIGTERM",
        "Ray: SIGUSR1",
        "scontrol: show job -o 17",
        "scontrol: requeue 17",
    ]
    assert "requeued; it goes on" in printed


def test_what_rays_head_is_told_it_passes_on(batch: Batch) -> None:
    job = batch.start(ENDLESS="yes", DRIVER_CODE="75", BATCH_IS_TOLD="yes")
    assert job.wait(60) == 75
    assert batch.lines()[-1] == "scontrol: requeue 17"


@pytest.mark.parametrize("state", ["COMPLETING", "PENDING"])
def test_a_job_that_slurm_ends_itself_is_left_to_it(batch: Batch, state: str) -> None:
    code, printed = interrupted(batch, STATE=state)
    assert code == 75
    assert batch.lines()[-1] == "scontrol: show job -o 17"
    assert "SLURM is ending it already" in printed


@pytest.mark.parametrize("code", ["0", "1"])
def test_a_sweep_that_is_done_when_it_is_told_is_done(batch: Batch, code: str) -> None:
    assert interrupted(batch, DRIVER_CODE=code)[0] == int(code)
    assert batch.lines()[-1] == "Ray: SIGUSR1"


@pytest.mark.parametrize("missing", [True, False])
def test_without_scontrol_or_its_leave_the_command_is_printed(batch: Batch, missing: bool) -> None:
    if missing:
        (batch.folder / "bin/scontrol").unlink()
    code, printed = interrupted(
        batch, "--seeds", "0", "a b", REFUSED="1", SLURM_GPUS_PER_NODE="2", SLURM_JOB_ACCOUNT="us"
    )
    assert code == 75
    assert printed.rstrip().endswith(
        "go on with: sbatch --nodes=1 --cpus-per-task=4 --gpus-per-node=2 --partition=low "
        r"--account=us infra/slurm/sweep.sbatch --name slurm-17 --resume-or-start --seeds 0 a\ b"
    )


def test_a_driver_that_does_not_end_is_killed_and_the_job_is_requeued(batch: Batch) -> None:
    assert interrupted(batch, DRIVER_S="30", PATIENCE_S="3")[0] == 128 + signal.SIGKILL
    assert batch.lines()[-2:] == ["scontrol: show job -o 17", "scontrol: requeue 17"]


def test_a_job_that_is_told_while_ray_starts_is_requeued_without_a_driver(batch: Batch) -> None:
    job = batch.start(WAIT_S="30")
    batch.wait_for("wait ")
    job.send_signal(signal.SIGTERM)
    assert job.wait(60) == 128 + signal.SIGTERM
    assert not [line for line in batch.lines() if "backbones" in line]
    assert batch.lines()[-3:] == ["Ray: SIGUSR1", "scontrol: show job -o 17", "scontrol: requeue 17"]


def test_options_of_the_job() -> None:
    lines = (ROOT / "infra/slurm/sweep.sbatch").read_text().splitlines()
    options = {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH ")}
    assert {"--signal=B:TERM@120", "--requeue", "--open-mode=append"} <= options
