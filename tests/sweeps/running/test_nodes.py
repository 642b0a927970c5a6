"""Which nodes are left out, for trials that end on them before they get anywhere."""

import pytest

from sweeps.running.nodes import Nodes
from sweeps.search.search import Planned


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def nodes(said: list[str]) -> Nodes:
    return Nodes(said.append)


def test_two_settings_in_a_row_that_end_on_one_node_while_others_work_take_it_out(
    nodes: Nodes, said: list[str], trials: tuple[Planned, ...]
) -> None:
    one, other = trials[0], trials[2]  # two backbones
    nodes.lived("good")
    assert nodes.ended_early("bad", one) == []
    assert nodes.ended_early("good", other) == []
    assert nodes.ended_early("bad", other) == [one, other]
    assert nodes.left_out == {"bad"}
    (line,) = said
    assert "node bad is left out from now on: 2 trials ended there before their first step" in line
    assert nodes.ended_early("bad", one) == []


def test_one_setting_may_be_at_fault_itself(
    nodes: Nodes, said: list[str], trials: tuple[Planned, ...]
) -> None:
    nodes.lived("good")
    one, seed, other = trials[:3]
    assert one.setting == seed.setting
    for trial in (one, seed, one):
        assert nodes.ended_early("bad", trial) == []
    assert nodes.ended_early("bad", other) == [one, seed, other]  # each once


def test_where_no_other_node_works_or_one_of_them_lived_none_is_left_out(
    nodes: Nodes, said: list[str], trials: tuple[Planned, ...]
) -> None:
    one, other = trials[0], trials[2]
    nodes.lived("only")
    for trial in (one, other):
        assert nodes.ended_early("only", trial) == []
        assert nodes.ended_early(None, trial) == []  # its process never began
    nodes.lived("another")
    nodes.lived("only")  # in between
    assert nodes.ended_early("only", one) == []
    assert (nodes.left_out, said) == (set(), [])
