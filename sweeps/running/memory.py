"""How much memory a trial takes, measured in its process, and how many of them it is enough for."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from epropnp.training.usage import peak_bytes
from sweeps.running.cluster import Node

CONTEXT_BYTES = 600 * 2**20  # of CUDA, beside what torch counts
FILLED = 0.9  # of what there is, at most


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a trial has taken, at its most.

    Attributes:
        used: bytes.
        available: bytes of its GPU, or where it has none, of its machine.
        on_device: whether it is the GPU's.
    """

    used: int
    available: int
    on_device: bool


def measured() -> Memory:
    """Of this process, so far."""
    import torch

    if torch.cuda.is_available():
        used = torch.cuda.max_memory_reserved() + CONTEXT_BYTES
        return Memory(used=used, available=torch.cuda.get_device_properties(0).total_memory, on_device=True)
    return Memory(
        used=peak_bytes(), available=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), on_device=False
    )


def enough_for(found: Iterable[Memory], cores: int, nodes: Iterable[Node]) -> int:
    """How many trials can run at once, each as large as the largest.

    Args:
        found: of one trial of each setting; at least one.
        cores: that each keeps busy.
        nodes: of the cluster; all have GPUs, or memory, as large as the smallest that was seen.
    """
    largest = max(found, key=lambda each: each.used / each.available)
    each = max(1, int(FILLED * largest.available / largest.used))
    count = 0
    for node in nodes:
        places = each * int(node.gpus) if largest.on_device else each
        count += min(places, int(node.cpus // cores))
    return max(1, count)
