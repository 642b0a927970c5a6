"""Sums of named, weighted terms: their values, what is computed, and what cannot be added."""

import pytest
import torch

from epropnp.losses.algebra import Loss

calls: list[str] = []


def first(x: torch.Tensor) -> torch.Tensor:
    calls.append("first")
    return x.square().sum()


def second(x: torch.Tensor) -> torch.Tensor:
    calls.append("second")
    return x.sum()


A, B = Loss.term("a", first), Loss.term("b", second)


def test_a_sum_gives_the_total_and_each_term_raw_and_weighted() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    value = (A + 0.5 * B)(x)
    assert value.total.item() == 5 + 0.5 * 3
    assert {name: term.item() for name, term in value.raw.items()} == {"a": 5.0, "b": 3.0}
    assert {name: term.item() for name, term in value.weighted.items()} == {"a": 5.0, "b": 1.5}
    assert not any(term.requires_grad for term in value.weighted.values())
    value.total.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2 * 1 + 0.5, 2 * 2 + 0.5]


def test_factors_multiply_and_weights_of_one_term_add_up() -> None:
    assert (2 * (0.5 * A + B) + 3 * A).weights == {"a": 4.0, "b": 2.0}


def test_a_term_of_weight_zero_is_not_computed() -> None:
    calls.clear()
    value = (A + 0.0 * B)(torch.ones(2))
    assert calls == ["first"]
    assert list(value.raw) == ["a"]


def test_one_name_cannot_stand_for_two_functions() -> None:
    with pytest.raises(ValueError, match="two different loss terms are named 'a'"):
        A + Loss.term("a", second)
