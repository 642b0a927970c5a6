"""Loaders, their server and its helper end with the training, however it ends: real processes, counted."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.forked import Forked, Origin
from tests.process_groups import left_after, members
from tests.test_train import TINY

SECONDS = 30.0  # that a process may stay, on a busy machine
SETTINGS = ("--set", *TINY, "optim.batch_size=8", "data.workers=2")


def trained_for_long(origin: Origin, dataset: Path, out: Path) -> Forked:
    """In its second epoch, or a later one."""
    words = ["--data", str(dataset), "--out", str(out), *SETTINGS, "optim.epochs=1000"]
    run = origin.start(["-m", "epropnp.train", *words])
    status = out / "status.json"
    while not (status.exists() and '"train/loss"' in status.read_text()):
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    return run


ENDS = {
    signal.SIGTERM: (143, "stopped by SIGTERM", ", by SIGTERM"),
    signal.SIGHUP: (129, "stopped by SIGHUP", ", by SIGHUP"),
    signal.SIGINT: (130, "stopped", ""),
}


@pytest.mark.slow
@pytest.mark.parametrize("number", ENDS, ids=lambda number: number.name)
def test_a_signal_to_the_whole_group_leaves_one_line_a_checkpoint_and_no_process(
    number: signal.Signals, origin: Origin, tiny_dataset: Path, tmp_path: Path
) -> None:
    run = trained_for_long(origin, tiny_dataset, tmp_path)
    assert len(members(run.pid)) == 5  # trainer, two loaders, their server, its helper
    before_ns = time.time_ns()
    os.killpg(run.pid, number)
    _, said = run.communicate(timeout=60)
    code, line, reason = ENDS[number]
    assert (run.returncode, said) == (code, f"\n{line}: the same command goes on from the last checkpoint\n")
    assert left_after(run.pid, SECONDS) == []
    told = json.loads((tmp_path / "status.json").read_text())
    assert (told["status"], told["reason"]) == (
        "waiting",
        f"interrupted after epoch {len(told['history']) - 1}{reason}",
    )
    if number != signal.SIGINT:
        assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns > before_ns


@pytest.mark.slow
def test_a_kill_leaves_no_process(origin: Origin, tiny_dataset: Path, tmp_path: Path) -> None:
    run = trained_for_long(origin, tiny_dataset, tmp_path)
    run.kill()
    run.wait(60)
    assert left_after(run.pid, SECONDS) == []


TRIALS = """
import sys
from pathlib import Path
from epropnp.train import Arguments, trial_config
from epropnp.training.trainer import Trainer
from tests.forked import Forked, Origin
from tests.process_groups import members
from tests.training.tiny import Killed, Stop
import os

def loaders():
    return len(members(os.getpid())) - 3  # without this process, the server and its helper

class Counted(Stop):
    def on_step(self, report):
        if report.step == 2:
            print(loaders(), end=" ", flush=True)
        super().on_step(report)

config = trial_config(Arguments(set=(tuple(sys.argv[3:]), ("optim.epochs=2",))))
errors = []
for number, stop in enumerate((Counted(2, 3), Counted(9))):
    trainer = Trainer(config, sys.argv[1], Path(sys.argv[2], str(number)), "cpu")
    try:
        trainer.fit([stop])
    except Killed as error:
        errors.append(error)  # its traceback holds on to all that the training did
    print(f"then {loaders()}", flush=True)
"""


@pytest.mark.slow
def test_one_process_trains_several_trials_and_each_ends_with_its_loaders(
    origin: Origin, tiny_dataset: Path, tmp_path: Path
) -> None:
    run = origin.start(["-c", TRIALS, str(tiny_dataset), str(tmp_path), *SETTINGS[1:]])
    said, errors = run.communicate(timeout=300)
    assert (errors, run.returncode) == ("", 0)
    assert said.splitlines() == ["2 2 then 0"] * 2  # twice in each of two epochs
    assert left_after(run.pid, SECONDS) == []


@pytest.mark.slow
def test_an_error_leaves_no_process(origin: Origin, tiny_dataset: Path, tmp_path: Path) -> None:
    script = TRIALS.replace("except Killed", "except ZeroDivisionError")
    run = origin.start(["-c", script, str(tiny_dataset), str(tmp_path), *SETTINGS[1:]])
    _, errors = run.communicate(timeout=300)
    assert run.returncode == 1
    assert errors.splitlines()[-1] == "tests.training.tiny.Killed"
    assert left_after(run.pid, SECONDS) == []
