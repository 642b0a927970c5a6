"""Checkpoints: written whole or not at all, and read without running code from the file."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epropnp.errors import UserError
from epropnp.inference.model import load_checkpoint, save_checkpoint
from epropnp.plain import differing, flatten, from_dict
from epropnp.training.config import TrialConfig, upgraded
from epropnp.training.identity import DIGEST, FILES, INCIDENTAL, identity
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
    evaluated, and what prediction needs (`epropnp.inference.model`). Each carries the header: what
    `trial.json` says, config and dataset among it.

    Args:
        folder: created with the first checkpoint.
        header: of `record.config_note`; a checkpoint with other settings or of another dataset is refused.
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
        advice = "use another folder, or delete it to start over"
        if not _alike(saved, self.header):
            raise ForeignError(f"{self.last} is of another config{_difference(saved, self.header)}: {advice}")
        if saved.get("dataset_id") != self.header["dataset_id"]:
            raise ForeignError(f"{self.last} is of another dataset_id: {advice}")
        return saved


def _alike(saved: dict[str, Any], mine: dict[str, Any]) -> bool:
    """Whether two headers are of one trial; a file that is gone may have held anything."""
    before, now = _settings(saved), _settings(mine)
    if before is None or now is None:
        return False
    gone = [key for key in FILES if key in before and not str(now.get(key, DIGEST)).startswith(DIGEST)]
    return before == now | {key: before[key] for key in gone}


def _settings(header: dict[str, Any]) -> dict[str, Any] | None:
    """What tells a trial from others, as it was when the header was written; None where it is damaged."""
    if "settings" in header:
        return dict(header["settings"])
    try:  # the version before stored the config alone
        return dict(identity(from_dict(TrialConfig, header["config"])))
    except (UserError, KeyError, TypeError):
        return None


def _difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Which settings differ, else which of the files that they name; nothing where the config is damaged."""
    if not isinstance(before.get("config"), dict):
        return ""
    default = flatten(TrialConfig())  # of a setting that has been added since
    values = differing(before["config"], now["config"])
    values = [(key, default.get(key) if then is None else then, value) for key, then, value in values]
    changed = [each for each in values if each[1] != each[2] and each[0] not in INCIDENTAL]
    changed = changed or differing(_settings(before) or {}, _settings(now) or {})
    texts = [f"{key} {then}, now {value}" for key, then, value in changed[:3]]
    return f" ({'; '.join(texts)})" if texts else ""
