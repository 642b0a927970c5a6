"""What a training takes of its machine, told with each epoch."""

import contextlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.training.result import Metrics

if TYPE_CHECKING:  # what reads folders only starts without torch
    import torch

MB = 2**20
CLEAR_REFS = Path("/proc/self/clear_refs")
FORGET = "5"  # what Linux takes for: let the peak be what is in memory now (man 5 proc)
CORES = "usage/process_cores_busy"
MEMORY = "usage/process_memory_peak_megabytes"
DEVICE_MEMORY = "usage/gpu_memory_peak_megabytes"


class Usage:
    """Of this process, loaders not counted.

    Args:
        device: of the network.
    """

    def __init__(self, device: "torch.device") -> None:
        self._device, self._since = device, _clocks()
        _forget_peaks(device)

    def since_last(self) -> Metrics:
        """Cores that were busy on average since the last call, and the most memory so far, in MiB.

        Memory of a GPU is what tensors took of it.
        """
        import torch

        (wall_s, busy_s), before = _clocks(), self._since
        self._since = wall_s, busy_s
        found = {CORES: (busy_s - before[1]) / max(wall_s - before[0], 1e-3), MEMORY: peak_bytes() / MB}
        if self._device.type == "cuda":
            found[DEVICE_MEMORY] = torch.cuda.max_memory_allocated(self._device) / MB
        return found


def _forget_peaks(device: "torch.device") -> None:
    """Those of a network that this process trained before."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):  # not on Linux
        CLEAR_REFS.write_text(FORGET)


def _clocks() -> tuple[float, float]:
    """Seconds by the clock, and seconds that cores worked for this process."""
    times = os.times()
    return time.perf_counter(), times.user + times.system


def peak_bytes() -> int:
    """The most memory that this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
