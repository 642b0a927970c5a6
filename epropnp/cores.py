"""The cores of this machine, and what a trial makes of its own."""

import os

LOADERS = 8  # processes that keep an H100 busy with crops of 256 px (docs/gpu.md)


def local_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def loaders(wanted: int | None, threads: int, cores: int, on_gpu: bool) -> int:
    """How many processes load batches.

    Args:
        wanted: by the config; None: none beside a CPU, which trains no faster with them, and `LOADERS` beside
            a GPU, which waits without, as far as there are cores.
        threads: of the trial itself.
        cores: that it has.
        on_gpu: what it trains on.
    """
    if wanted is not None:
        return wanted
    return max(0, min(LOADERS, cores - threads)) if on_gpu else 0
