"""What a training takes of its machine, told with each epoch as system metrics of MLflow."""

import os
import resource
import sys
import time

import torch

from epropnp.training.result import Metrics

MB = 2**20
CORES = "system/process_cores_busy"
MEMORY = "system/process_memory_peak_megabytes"
DEVICE_MEMORY = "system/gpu_memory_peak_megabytes"


class Usage:
    """Of this process, loaders not counted.

    Args:
        device: of the network.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._since = device, _clocks()

    def since_last(self) -> Metrics:
        """Cores that were busy on average since the last call, and the most memory so far, in MiB.

        Memory of a GPU is what tensors took of it; a process that trains a second network starts from the
        peak of the first.
        """
        (wall_s, busy_s), before = _clocks(), self._since
        self._since = wall_s, busy_s
        found = {CORES: (busy_s - before[1]) / max(wall_s - before[0], 1e-3), MEMORY: peak_bytes() / MB}
        if self._device.type == "cuda":
            found[DEVICE_MEMORY] = torch.cuda.max_memory_allocated(self._device) / MB
        return found


def _clocks() -> tuple[float, float]:
    """Seconds by the clock, and seconds that cores worked for this process."""
    times = os.times()
    return time.perf_counter(), times.user + times.system


def peak_bytes() -> int:
    """The most memory that this process has had, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
