"""One trial under Ray Tune: a Trainer in a folder of its own, reporting every epoch.

The folder, not Ray, keeps the checkpoint and says how the trial ended: a trial that is retried, or continued
by a later call, finds `checkpoint.pt` there and goes on. On a cluster it lies on storage that all share.
"""

import contextlib
import gc
import logging
import socket
import time
from pathlib import Path
from typing import Any

import ray
from ray import tune

from epropnp.claims import STALE_S, is_claimed
from epropnp.data.remote import is_uri
from epropnp.errors import UserError, first_line
from epropnp.plain import from_dict
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.halt import HaltError, InterruptionError
from epropnp.training.record import failure_of, note_failure
from epropnp.training.result import EpochReport, StepReport
from epropnp.training.trainer import Trainer
from sweeps.results.pictures import draw
from sweeps.running.keep import remove_surplus
from sweeps.running.memory import measured
from sweeps.running.pace import Pace
from sweeps.running.retest import restore_for_test
from sweeps.running.steps import Steps
from sweeps.trial import one_line

GHOST_S = STALE_S + 30.0  # until a claim of a node that is lost has no effect any more

_log = logging.getLogger(__name__)


def run_trial(space: dict[str, Any]) -> None:
    """Ray trainable: train the trial `space["trial"]`, reporting metrics once per epoch.

    The first report of a process carries the epochs before it as `earlier`: a driver that was
    killed may have missed the last of them.

    What the user can mend, a diverged loss included, is noted in the trial's folder, reported as `failed`
    with its reason, and not raised: running it again would end the same way. Anything else is raised; Ray may
    retry it.
    """
    import torch

    spec = space["trial"]
    folder = Path(spec["folder"])
    if ray.util.get_node_ip_address() in spec["left_out"]:
        _keep_the_place()
    try:
        _await_ghost(folder)
        _check_device(spec["gpus"])
        _train(spec, folder)
    except HaltError:
        pass  # the folder says why
    except UserError as error:
        reason = one_line(error)
        if folder.is_dir() and not is_claimed(folder):  # else by another process, whose trial it is
            with contextlib.suppress(UserError):
                note_failure(folder, reason, failure_of(error))
        _tell(failed=reason)
    finally:
        remove_surplus(folder, spec["keep"])
        # The process may serve the next trial: leave it no memory to inherit.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _keep_the_place() -> None:
    """Hold what this node has, so that no other trial comes here, until Tune ends this one."""
    _tell(left_out=True)
    while True:
        time.sleep(1.0)
        tune.report({})


def _await_ghost(folder: Path) -> None:
    """Wait for an earlier process that still holds a trial's folder, as on a node that was cut off."""
    until_s = time.monotonic() + GHOST_S
    while folder.is_dir() and is_claimed(folder) and time.monotonic() < until_s:
        time.sleep(1.0)


def _check_device(gpus: float) -> None:
    """UserError, with the reason, where a trial was given a GPU that torch cannot use."""
    import torch

    if not gpus or torch.cuda.is_available():
        return
    reason = "this torch was built without CUDA: install another wheel"
    if torch.version.cuda is not None:
        try:
            torch.zeros(1, device="cuda")
        except Exception as error:  # what it is depends on driver and device
            reason = first_line(error)
    raise UserError(f"node {socket.gethostname()} gave this trial a GPU that torch cannot use: {reason}")


def _train(spec: dict[str, Any], folder: Path) -> None:
    _check_storage(spec["dataset"], folder)
    config, cores = from_dict(TrialConfig, spec["config"]), max(1, int(spec["cpus"]))
    trainer = Trainer(config, spec["dataset"], folder, cores=cores)
    restore_for_test(trainer)
    reporter = _TuneReporter(trainer)
    pace = Pace(lambda seconds: _tell(seconds_per_epoch=seconds))
    trainer.fit([reporter, pace, Steps(_tell), _Interrupter(Path(spec["stop_file"]), spec["updates"])])
    if not reporter.reports:  # resumed after its last epoch: only the test was left to do
        reporter.tell()
    try:
        draw(folder, trainer.data.dataset)
    except Exception as error:  # the trial has finished, pictures or not
        _log.warning("%s: no pictures: %s", folder.name, one_line(error))


def _tell(**content: Any) -> None:
    """Report to the sweep. Tune, through which it goes, adds content of its own."""
    tune.report({"told": content})


class _TuneReporter(Callback):
    """Tells Ray Tune of each epoch."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.reports = trainer, 0

    def on_epoch(self, report: EpochReport) -> None:
        self.tell()

    def tell(self) -> None:
        history = self.trainer.state.history
        _tell(
            epoch=len(history) - 1,
            epochs=self.trainer.config.optim.epochs,
            metrics=history[-1],
            earlier=[] if self.reports else history[:-1],
        )
        self.reports += 1


class _Interrupter(Callback):
    """Interrupts a trial when its sweep is to end, or when it has done its share of updates."""

    def __init__(self, stop_file: Path, updates: int | None) -> None:
        self.stop_file, self.left = stop_file, updates

    def on_step(self, report: StepReport) -> None:
        if self.left is not None:
            self.left -= 1
        if self.left == 0:
            _tell(memory=measured())
            raise InterruptionError("when its first updates were checked")
        self._heed()

    def on_scored(self) -> None:
        self._heed()

    def on_epoch(self, report: EpochReport) -> None:
        self._heed()

    def _heed(self) -> None:
        if self.stop_file.exists():
            raise InterruptionError("with its sweep")


def _check_storage(dataset: str, folder: Path) -> None:
    for path, flag in ((dataset, "--datasets"), (str(folder), "--out")):
        if not is_uri(path) and not Path(path).is_dir():
            raise UserError(
                f"node {socket.gethostname()} does not see {path}; "
                f"let {flag} name a folder that all nodes share"
            )
