"""Low-discrepancy numbers by Roberts' rule, and numbers that no inverse distribution sends to infinity."""

import math

import pytest
import torch

from epropnp.pnp.uniforms import quasi_uniforms, random_uniforms

# 1 / golden ratio; 1 / plastic number and its square
STEPS = {1: (0.6180339887498949,), 2: (0.7548776662466927, 0.5698402909980532)}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("size", STEPS)
def test_neighbours_differ_by_powers_of_the_generalised_golden_ratio(size: int) -> None:
    numbers = quasi_uniforms(7, 40, size, torch.zeros(3, 1).double(), generator())
    step = (numbers[1:] - numbers[:-1]) % 1
    expected = torch.tensor(STEPS[size], dtype=torch.float64).expand_as(step)
    torch.testing.assert_close(step, expected, atol=1e-12, rtol=0)


def test_a_later_start_continues_the_sequence() -> None:
    like = torch.zeros(2, 1).double()
    whole = quasi_uniforms(0, 20, 3, like, generator())
    torch.testing.assert_close(quasi_uniforms(12, 8, 3, like, generator()), whole[12:])


def test_far_along_the_sequence_single_precision_loses_no_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, dtype, **_: torch.full(shape, 0.25, dtype=dtype))
    single, double = (
        quasi_uniforms(1_000_000, 50, 2, torch.zeros(1, 1, dtype=dtype), None)
        for dtype in (torch.float32, torch.float64)
    )
    gap = (single - double + 0.5) % 1 - 0.5
    assert gap.abs().max() < 1e-6


def test_objects_and_dimensions_have_shifts_of_their_own() -> None:
    first = quasi_uniforms(0, 1, 4, torch.zeros(5, 1).double(), generator())
    assert len(set(first.flatten().tolist())) == 20


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_number_is_zero_or_one(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (0.0, 1.0):
        monkeypatch.setattr(torch, "rand", lambda shape, v=value, **_: torch.full(shape, v, dtype=dtype))
        drawn = random_uniforms(3, 2, torch.zeros(1, 1, dtype=dtype), None)
        assert torch.isfinite(torch.special.ndtri(drawn)).all()
        assert (drawn - value).abs().max() < 1e-6
        even = quasi_uniforms(0, 1, 2, torch.zeros(1, 1, dtype=dtype), None)
        assert torch.isfinite(torch.special.ndtri(even)).all()


def test_random_numbers_are_independent_of_object_and_position() -> None:
    drawn = random_uniforms(2000, 3, torch.zeros(2, 1).double(), generator()).flatten(1)  # (2000, 6)
    correlation = torch.corrcoef(drawn.mT) - torch.eye(6).double()
    assert correlation.abs().max() < 4 / math.sqrt(2000)
