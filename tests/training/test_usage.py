"""What a training is said to take is what was taken."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.training.usage import CORES, MEMORY, Usage, peak_bytes


def worked(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        np.linalg.norm(np.ones(1000))


def test_busy_cores_are_those_since_the_last_call() -> None:
    """However busy the machine is: work takes as long by the clock as it takes, a sleep does no work."""
    usage = Usage(torch.device("cpu"))
    begun = time.perf_counter()
    worked(0.5)
    wall_s = time.perf_counter() - begun
    assert usage.since_last()[CORES] == pytest.approx(0.5 / wall_s, rel=0.2)
    time.sleep(0.5)
    assert usage.since_last()[CORES] < 0.1


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc to compare with")
def test_memory_is_what_the_system_says_of_the_process() -> None:
    large = np.ones(2**26)  # 512 MiB of something before
    before = peak_bytes()
    del large
    found = Usage(torch.device("cpu")).since_last()
    assert found[MEMORY] < before / 2**20 - 400
    status = Path("/proc/self/status").read_text()
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    assert list(found) == [CORES, MEMORY]
    assert found[MEMORY] == pytest.approx(peak_kb / 1024, rel=0.05)
