"""How many cores there are, and how many of them load batches."""

import os

import pytest

from epropnp.cores import loaders, local_cores


def test_cores_are_those_that_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 8}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert local_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert local_cores() == 64


@pytest.mark.parametrize(
    ("wanted", "cores", "on_gpu", "found"),
    [
        (None, 16, False, 0),  # a CPU computes as fast as it loads
        (None, 16, True, 8),
        (None, 4, True, 3),  # the trial's own thread has a core, too
        (None, 1, True, 0),
        (0, 16, True, 0),  # what the config says holds
        (12, 4, False, 12),
    ],
)
def test_a_gpu_gets_loaders_as_cores_allow(wanted: int | None, cores: int, on_gpu: bool, found: int) -> None:
    assert loaders(wanted, 1, cores, on_gpu) == found
