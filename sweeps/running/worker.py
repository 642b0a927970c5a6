"""One trial under Ray Tune: a Trainer in a folder of its own, reporting every epoch.

The folder, not Ray, keeps the checkpoint: a trial that is retried, or continued by a later call,
finds `checkpoint.pt` there and goes on. On a cluster it lies on storage that all nodes share.
"""

import gc
import socket
from pathlib import Path
from typing import Any

from ray import tune

from epropnp.data.remote import is_uri
from epropnp.errors import UserError
from epropnp.plain import from_dict, to_dict
from epropnp.training.callbacks import Callback
from epropnp.training.config import TrialConfig
from epropnp.training.result import EpochReport
from epropnp.training.trainer import Trainer
from sweeps.trial import one_line


def trial_spec(name: str, config: TrialConfig, dataset: Path | str, folder: Path) -> dict[str, Any]:
    """What `run_trial` needs, as plain values that Ray can send and store."""
    return {
        "name": name,
        "config": to_dict(config),
        "dataset": str(dataset),
        "folder": str(folder),
    }


def run_trial(space: dict[str, Any]) -> None:
    """Ray trainable: train the trial `space["trial"]`, reporting metrics once per epoch.

    The first report of a process carries the epochs before it as `earlier`: a driver that was
    killed may have missed the last of them.

    What the user can mend, a diverged loss included, is reported as `failed` with its reason and
    not raised: running it again would end the same way. Anything else is raised; Ray may retry it.
    """
    import torch

    spec = space["trial"]
    try:
        _train(from_dict(TrialConfig, spec["config"]), spec["dataset"], Path(spec["folder"]))
    except UserError as error:
        tune.report({"failed": one_line(error)})
    finally:
        # The process may serve the next trial: leave it no memory to inherit.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _train(config: TrialConfig, dataset: str, folder: Path) -> None:
    _check_storage(dataset, folder)
    trainer = Trainer(config, dataset, folder)
    reporter = _TuneReporter(trainer)
    trainer.fit([reporter])
    if not reporter.reports:  # resumed after its last epoch: only the test was left to do
        reporter.tell()


class _TuneReporter(Callback):
    """Tells Ray Tune of each epoch."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer, self.reports = trainer, 0

    def on_epoch(self, report: EpochReport) -> None:
        self.tell()

    def tell(self) -> None:
        history = self.trainer.state.history
        tune.report(
            {
                "epoch": len(history) - 1,
                "epochs": self.trainer.config.optim.epochs,
                "metrics": history[-1],
                "earlier": [] if self.reports else history[:-1],
            }
        )
        self.reports += 1


def _check_storage(dataset: str, folder: Path) -> None:
    for path, flag in ((dataset, "--datasets"), (str(folder), "--out")):
        if not is_uri(path) and not Path(path).is_dir():
            raise UserError(
                f"node {socket.gethostname()} does not see {path}; "
                f"let {flag} name a folder that all nodes share"
            )
