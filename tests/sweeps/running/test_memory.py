"""How many trials memory is enough for; the device is made up, for there is none here."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sweeps.running.cluster import Node
from sweeps.running.memory import Memory, enough_for, measured

GB = 10**9


def device(used: float, of: float = 80.0) -> Memory:
    return Memory(used=int(used * GB), available=int(of * GB), on_device=True)


def host(used: float, of: float = 24.0) -> Memory:
    return Memory(used=int(used * GB), available=int(of * GB), on_device=False)


@pytest.mark.parametrize(
    ("found", "cores", "nodes", "places"),
    [
        ([device(9)], 2, [Node(cpus=64, gpus=1)], 8),  # 72 of 80
        ([device(9), device(20), device(3)], 2, [Node(cpus=64, gpus=1)], 3),  # the largest decides
        ([device(9)], 2, [Node(cpus=64, gpus=2), Node(cpus=8, gpus=1)], 16 + 4),  # and cores
        ([device(79)], 2, [Node(cpus=64, gpus=2)], 2),
        ([device(79)], 99, [Node(cpus=64, gpus=2)], 1),  # there is always one
        ([host(2)], 1, [Node(cpus=16)], 10),
        ([host(2)], 4, [Node(cpus=16)], 4),
    ],
)
def test_as_many_as_fit(found: list[Memory], cores: int, nodes: list[Node], places: int) -> None:
    assert enough_for(found, cores, nodes) == places


def test_what_this_process_takes_is_at_least_what_it_holds() -> None:
    before = measured()
    held = np.ones(40_000_000)  # 320 MB
    after = measured()
    assert after.used >= before.used
    assert 320e6 < after.used < after.available
    assert held.sum() == 4e7
    assert not after.on_device


def test_on_a_gpu_it_is_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 4 * GB)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda index: SimpleNamespace(total_memory=80 * GB)
    )
    assert measured() == Memory(used=4 * GB + 600 * 2**20, available=80 * GB, on_device=True)
