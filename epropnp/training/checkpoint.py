"""Checkpoints: written whole or not at all, and read without running code from the file."""

import os
import time
from pathlib import Path
from typing import Any

import torch

from epropnp.errors import UserError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain containers to a file, atomically.

    Raises:
        UserError: the file cannot be written, such as on a full disk. An earlier checkpoint stays whole.
    """
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise UserError(
            f"checkpoint {path} cannot be written: {error}; free some space, then resume"
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, onto the CPU. UserError where the file is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        raise UserError(
            f"checkpoint {path} cannot be read ({type(error).__name__}): delete it to start over"
        ) from error
    return state


class Checkpoints:
    """The checkpoints of one trial's folder: the last, the best, and some in between.

    `checkpoint.pt` holds all that training goes on from; `best.pt` and `epoch-NNNN.pt` only the weights that
    are evaluated. Each carries the header: the config and the dataset's id.

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

    def keep(self, weights: dict[str, torch.Tensor], epoch: int, is_best: bool) -> None:
        """Write `best.pt` and the checkpoint of an epoch, if they are due. UserError where that fails."""
        of_epoch = self.keep_every and epoch and epoch % self.keep_every == 0
        wanted = {self.best: is_best, self.folder / f"epoch-{epoch:04d}.pt": of_epoch}
        for file in (file for file, due in wanted.items() if due):
            save_checkpoint(file, self.header | {"net": weights})

    def load(self) -> dict[str, Any] | None:
        """What `save` wrote, or None. UserError where it is damaged, or of another config or dataset."""
        if not self.last.exists():
            return None
        saved = load_checkpoint(self.last)
        for name, mine in self.header.items():
            if saved.get(name) != mine:
                raise UserError(
                    f"{self.last} is of another {name}: use another folder, or delete it to start over"
                )
        return saved
