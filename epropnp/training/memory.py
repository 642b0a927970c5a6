"""What to do where a device has too little memory, in the place of its traceback."""

import contextlib
import re
from collections.abc import Iterator

import torch

from epropnp.training.config import TrialConfig
from epropnp.training.halt import SettingsError

_WANTED = re.compile(r"Tried to allocate ([\d.]+ \w+)")


class MemoryLackError(SettingsError):
    """A device has too little memory for a training."""

    kind = "memory"


@contextlib.contextmanager
def memory_told(config: TrialConfig, device: torch.device) -> Iterator[None]:
    """Turns a device's lack of memory into an error of the user's with the batch and the ways out."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        match = _WANTED.search(str(error))
        wanted = f" (it wanted {match[1]} more)" if match else ""
        optim = config.optim
        parts = f"{optim.accumulate} parts" if optim.accumulate > 1 else "one part"
        raise MemoryLackError(
            f"{device} is out of memory{wanted} with {config.model.backbone} at {config.model.input_px} px, "
            f"optim.batch_size {optim.batch_size} in {parts}, evaluation.batch_size "
            f"{config.evaluation.batch_size}: compute batches in more parts (optim.accumulate="
            f"{2 * optim.accumulate}, which changes hardly a number), or give each trial more of the device "
            "(--trials-at-once 1)"
        ) from error
