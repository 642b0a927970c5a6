"""A finished trial whose result was removed is tested again, also where its last checkpoint is not kept."""

from dataclasses import asdict

from epropnp.training.checkpoint import TrialState
from epropnp.training.record import Record
from epropnp.training.trainer import SELECTION_METRICS, Trainer


def restore_for_test(trainer: Trainer) -> None:
    """Let a training that was finished, and of which `best.pt` is left, go on with its test.

    A checkpoint is written as after the last epoch, with the best weights in the place of the last ones.
    Without `best.pt` nothing is done: the trial is trained anew.

    Raises:
        UserError: `best.pt` or `status.json` is damaged.
    """
    folder, files = trainer.work_dir, trainer.checkpoints
    record = Record.read(folder)
    if record is None or record.status != "finished" or files.last.exists() or not files.best.exists():
        return
    epochs, history = trainer.config.optim.epochs, list(record.history)
    if len(history) != epochs + 1:
        return
    best = files.load_best()
    state = TrialState(
        epoch=epochs,
        skipped=int(history[-1].get("train/skipped", 0)),
        seconds=history[-1]["time/seconds"],
        best_epoch=_best_epoch([[past[name] for name in SELECTION_METRICS] for past in history]),
        weights_sha256=trainer.state.weights_sha256,
        history=history,
    )
    weights = {"net": best["net"], "objective": best["objective"]}
    files.save({**weights, "updates": trainer.updates.state_dict(), "state": asdict(state), "sums": {}})


def _best_epoch(qualities: list[list[float]]) -> int:
    """The last of those with the highest values, as the training chooses."""
    return max(range(len(qualities)), key=lambda epoch: (qualities[epoch], epoch))
