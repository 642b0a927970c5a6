"""Checkpoints: written whole or not at all, and read without running code from the file."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epropnp.errors import UserError
from epropnp.inference.model import load_checkpoint, save_checkpoint
from epropnp.plain import differing, from_dict
from epropnp.training.config import TrialConfig, upgraded
from epropnp.training.identity import identity
from epropnp.training.record import ForeignError
from epropnp.training.result import Metrics


@dataclass
class TrialState:
    """How far a trial has come; saved with the weights."""

    epoch: int = -1  # the last one reported; 0 is the evaluation before training
    step: int = 0  # updates done in the epoch after it
    skipped: int = 0  # updates left out, of all epochs
    overflows: int = 0  # of the last updates, how many in a row overflowed in fp16
    seconds: float = 0.0
    best_epoch: int = -1
    weights_sha256: str | None = None  # of the backbone that training started from, if it was not random
    history: list[Metrics] = field(default_factory=list)


class Checkpoints:
    """The checkpoints of one trial's folder: the last, the best, and some in between.

    `checkpoint.pt` holds all that training goes on from; `best.pt` and `epoch-NNNN.pt` the weights that are
    evaluated, and what prediction needs (`epropnp.inference.model`). Each carries the header: the config and
    the dataset's id.

    Args:
        folder: created with the first checkpoint.
        header: plain values; a checkpoint with others is refused.
        keep_every: epochs between those kept for good; 0 keeps none.
        seconds: between checkpoints within an epoch.
    """

    def __init__(self, folder: Path, header: dict[str, Any], keep_every: int, seconds: float) -> None:
        self.folder, self.header = folder, header
        self.keep_every, self.seconds = keep_every, seconds
        self.last, self.best = folder / "checkpoint.pt", folder / "best.pt"
        self._saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is so old that one should be made within the epoch."""
        return time.monotonic() - self._saved >= self.seconds

    def save(self, state: dict[str, Any]) -> None:
        """Write `checkpoint.pt`. UserError where that fails."""
        save_checkpoint(self.last, self.header | state)
        self._saved = time.monotonic()

    def keep(self, evaluated: dict[str, Any], epoch: int, is_best: bool) -> None:
        """Write `best.pt` and the checkpoint of an epoch, if they are due. UserError where that fails."""
        of_epoch = self.keep_every and epoch and epoch % self.keep_every == 0
        wanted = {self.best: is_best, self.folder / f"epoch-{epoch:04d}.pt": of_epoch}
        for file in (file for file, due in wanted.items() if due):
            save_checkpoint(file, self.header | evaluated)

    def complete(self, best: dict[str, Any], more: dict[str, Any]) -> None:
        """Write `best.pt` again, with what is known at the end alone. UserError where that fails."""
        if any(best.get(name) != value for name, value in more.items()):
            save_checkpoint(self.best, best | more)

    def load_best(self) -> dict[str, Any]:
        """What was kept of the best epoch. UserError where it is damaged or missing."""
        return load_checkpoint(self.best, f"delete {self.last.name}, too, to train again")

    def load(self) -> dict[str, Any] | None:
        """What `save` wrote, or None. UserError where it is damaged, or of another config or dataset."""
        if not self.last.exists():
            return None
        saved = load_checkpoint(self.last)
        if isinstance(saved.get("config"), dict):
            saved["config"] = upgraded(saved["config"], self.header["config"])
        for name, mine in self.header.items():
            if not _alike(name, saved.get(name), mine):
                raise ForeignError(
                    f"{self.last} is of another {name}{_difference(saved.get(name), mine)}: use another "
                    "folder, or delete it to start over"
                )
        return saved


def _alike(name: str, saved: Any, mine: Any) -> bool:
    """Whether two values of the header stand for the same trial; settings may have been added since."""
    if name != "config" or not isinstance(saved, dict):
        return bool(saved == mine)
    try:
        before = from_dict(TrialConfig, saved)
    except UserError:
        return False
    return identity(before) == identity(from_dict(TrialConfig, mine))


def _difference(saved: Any, mine: Any) -> str:
    """Which settings differ, or nothing where these are not settings."""
    if not (isinstance(saved, dict) and isinstance(mine, dict)):
        return ""
    changed = [f"{key} {before}, now {now}" for key, before, now in differing(saved, mine)]
    return f" ({'; '.join(changed[:3])})" if changed else ""
