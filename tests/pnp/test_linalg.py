"""Factorisations that never raise and never wait."""

import torch

from epropnp.pnp.linalg import inverse_spd, safe_cholesky, solve_spd, well_posed

GOOD = torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
INDEFINITE = torch.tensor([[4.0, 9.0], [9.0, 1.0]], dtype=torch.float64)
BATCH = torch.stack((GOOD, INDEFINITE))


def test_failed_factor_is_that_of_the_diagonal_or_the_fallback() -> None:
    expected = torch.stack((torch.linalg.cholesky(GOOD), torch.diag(torch.tensor([2.0, 1.0]).double())))
    torch.testing.assert_close(safe_cholesky(BATCH), expected)
    fallback = torch.full((2, 2, 2), 7.0, dtype=torch.float64)
    assert torch.equal(safe_cholesky(BATCH, fallback)[1], fallback[1])
    torch.testing.assert_close(safe_cholesky(BATCH, fallback)[0], expected[0])


def test_inverse_and_solution() -> None:
    diagonal = torch.diag(torch.tensor([0.25, 1.0]).double())
    torch.testing.assert_close(inverse_spd(BATCH), torch.stack((torch.linalg.inv(GOOD), diagonal)))
    right = torch.tensor([[1.0, 2.0], [4.0, 3.0]], dtype=torch.float64)
    expected = torch.stack((torch.linalg.solve(GOOD, right[0]), torch.tensor([1.0, 3.0]).double()))
    torch.testing.assert_close(solve_spd(BATCH, right), expected)


def test_gradient_through_a_failed_factorisation_is_finite() -> None:
    matrix = BATCH.clone().requires_grad_()
    solve_spd(matrix, torch.ones(2, 2, dtype=torch.float64)).sum().backward()
    assert matrix.grad is not None
    assert torch.isfinite(matrix.grad).all()


def test_nan_stays_in_its_matrix() -> None:
    broken = torch.stack((GOOD, GOOD * torch.nan))
    inverse = inverse_spd(broken)
    torch.testing.assert_close(inverse[0], torch.linalg.inv(GOOD))
    assert inverse[1].isnan().any()


def test_a_pivot_within_rounding_of_zero_is_none_at_any_scale() -> None:
    """Correlations of 1 - p / 2 leave a pivot of p; 64 units of rounding decide."""
    least = 64 * torch.finfo(torch.float64).eps
    for pivot, expected in ((2 * least, True), (least / 2, False)):
        r = (1 - torch.tensor(pivot).double()).sqrt()
        correlation = torch.stack((torch.stack((r / r, r)), torch.stack((r, r / r))))
        for scale in ((1.0, 1.0), (1e-4, 1e6)):
            outer = torch.tensor(scale).double()[:, None] * torch.tensor(scale).double()
            assert well_posed(correlation * outer).item() is expected
    zero = torch.diag(torch.tensor([1.0, 0.0]).double())
    assert well_posed(torch.stack((GOOD, INDEFINITE, zero, GOOD * torch.nan))).tolist() == [True] + 3 * [
        False
    ]
