"""How cores and GPUs are shared among the trials that run at once."""

import pytest

from sweeps.running.cluster import Share, share_out


@pytest.mark.parametrize(
    ("trials", "wanted", "threads", "cpus", "gpus", "node_cpus", "share"),
    [
        (4, None, 1, 2, 0, 2, Share(at_once=2, cpus=1, gpus=0.0)),
        (1, None, 1, 2, 0, 2, Share(at_once=1, cpus=2, gpus=0.0)),
        (4, 1, 1, 8, 0, 8, Share(at_once=1, cpus=8, gpus=0.0)),
        (4, None, 1, 16, 1, 16, Share(at_once=1, cpus=16, gpus=1.0)),
        (4, 2, 1, 16, 1, 16, Share(at_once=2, cpus=8, gpus=0.5)),
        (8, None, 1, 64, 4, 32, Share(at_once=4, cpus=16, gpus=1.0)),
        (8, 3, 1, 64, 2, 32, Share(at_once=3, cpus=21, gpus=0.5)),
        (8, 1, 1, 64, 0, 32, Share(at_once=1, cpus=32, gpus=0.0)),
        (4, 4, 1, 2, 0, 2, Share(at_once=4, cpus=1, gpus=0.0)),
        (4, None, 2, 8, 0, 8, Share(at_once=4, cpus=2, gpus=0.0)),
        (4, None, 2, 4, 0, 4, Share(at_once=2, cpus=2, gpus=0.0)),
        (2, None, 4, 2, 0, 2, Share(at_once=1, cpus=2, gpus=0.0)),
        (9, None, 4, 30, 0, 30, Share(at_once=7, cpus=4, gpus=0.0)),  # 28 of 30 cores
        (3, 8, 1, 8, 0, 8, Share(at_once=3, cpus=2, gpus=0.0)),  # no more than there are trials
        (9, 5, 1, 10, 2, 10, Share(at_once=5, cpus=2, gpus=0.3333)),  # three share a device, two the other
        (9, 2, 1, 10, 2, 10, Share(at_once=2, cpus=5, gpus=1.0)),
        (9, 1, 1, 10, 4, 10, Share(at_once=1, cpus=10, gpus=1.0)),  # a trial trains on one device
    ],
)
def test_share(
    trials: int, wanted: int | None, threads: int, cpus: int, gpus: int, node_cpus: int, share: Share
) -> None:
    assert share_out(trials, wanted, threads, cpus, gpus, node_cpus) == share
