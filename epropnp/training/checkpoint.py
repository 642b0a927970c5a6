"""Checkpoints: written whole or not at all, and read without running code from the file."""

import os
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
