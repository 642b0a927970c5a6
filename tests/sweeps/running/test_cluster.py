"""How cores and GPUs are shared among the trials that run at once."""

import math

import pytest

from sweeps.running.cluster import Node, Share, share_out, told


def node(cpus: float, gpus: float = 0) -> Node:
    return Node(cpus=cpus, gpus=gpus)


@pytest.mark.parametrize(
    ("trials", "wanted", "cores", "nodes", "share"),
    [
        (4, None, 1, [node(2)], Share(at_once=2, cpus=1)),
        (1, None, 1, [node(2)], Share(at_once=1, cpus=1)),  # what it keeps busy, and no more
        (4, 1, 3, [node(8)], Share(at_once=1, cpus=3)),
        (4, None, 2, [node(8)], Share(at_once=4, cpus=2)),
        (4, None, 2, [node(4)], Share(at_once=2, cpus=2)),
        (2, None, 4, [node(2)], Share(at_once=1, cpus=2)),
        (9, None, 4, [node(30)], Share(at_once=7, cpus=4)),  # 28 of 30 cores
        (9, None, 4, [node(6), node(6), node(3)], Share(at_once=2, cpus=4)),  # none lies across two nodes
        (3, 8, 1, [node(8)], Share(at_once=3, cpus=1)),  # no more than there are trials
        (4, 4, 1, [node(2)], Share(at_once=4, cpus=0.5)),
        (9, 6, 4, [node(8), node(8)], Share(at_once=6, cpus=2)),
        (4, None, 1, [node(16, 1)], Share(at_once=1, cpus=9, gpus=1)),  # with 8 loaders
        (4, None, 9, [node(16, 1)], Share(at_once=1, cpus=16, gpus=1)),
        (4, 2, 9, [node(16, 1)], Share(at_once=2, cpus=8, gpus=0.5)),
        (8, None, 9, [node(32, 2), node(32, 2)], Share(at_once=4, cpus=16, gpus=1)),
        (8, 3, 9, [node(32, 1), node(32, 1)], Share(at_once=3, cpus=16, gpus=0.5)),
        (9, 5, 2, [node(10, 2)], Share(at_once=5, cpus=2, gpus=0.3333)),
        (9, 1, 9, [node(10, 4)], Share(at_once=1, cpus=10, gpus=1)),  # a trial trains on one device
        (9, None, 20, [node(8, 1), node(96, 1)], Share(at_once=2, cpus=8, gpus=1)),  # no device is idle
        (9, None, 9, [node(8, 8)], Share(at_once=8, cpus=1, gpus=1)),
        (9, None, 1, [node(64), node(8, 1)], Share(at_once=1, cpus=8, gpus=1)),
        (9, None, 3, [node(0)], Share(at_once=9, cpus=3)),  # a cluster that starts nodes when it is asked
        (9, 4, 3, [], Share(at_once=4, cpus=3)),
    ],
)
def test_share(trials: int, wanted: int | None, cores: int, nodes: list[Node], share: Share) -> None:
    assert share_out(trials, wanted, cores, nodes) == share


@pytest.mark.parametrize("wanted", range(1, 40))
def test_as_many_trials_as_are_wanted_do_fit_on_the_devices(wanted: int) -> None:
    """Ray counts in ten thousandths, and rounds nothing up."""
    for devices in (1, 2, 3):
        share = share_out(99, wanted, 1, [node(64, devices)])
        assert share.at_once == wanted
        assert share.gpus == round(share.gpus, 4)
        each = math.floor(1 / share.gpus) if share.gpus < 1 else 1
        assert each * devices >= wanted


def test_what_a_cluster_has_is_said_in_a_few_words() -> None:
    assert told([node(2)], here=True) == "2 cores on this machine"
    assert told([node(1, 1)], here=False) == "1 core, 1 GPU on 1 machine"
    assert told([node(8, 4), node(16), node(0)], here=False) == "24 cores, 4 GPUs on 3 machines"
