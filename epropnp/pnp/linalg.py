"""Small symmetric positive definite matrices without host synchronisation or exceptions."""

import torch
from torch import Tensor


def safe_cholesky(matrix: Tensor, fallback: Tensor | None = None) -> Tensor:
    """Lower Cholesky factor (..., n, n); where it fails, `fallback` or the factor of the diagonal.

    Branch-free: `cholesky_ex` reports failure on the device. NaN in gives NaN or the fallback out,
    never an exception.
    """
    factor, info = torch.linalg.cholesky_ex(matrix)
    if fallback is None:
        tiny = torch.finfo(matrix.dtype).tiny
        fallback = torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1).clamp(min=tiny).sqrt())
    failed = (info != 0) | ~torch.isfinite(factor).all(dim=-1).all(dim=-1)
    return torch.where(failed[..., None, None], fallback, factor)


def inverse_tril(factor: Tensor) -> Tensor:
    """Inverse (..., n, n) of lower triangular matrices."""
    eye = torch.eye(factor.shape[-1], dtype=factor.dtype, device=factor.device).expand_as(factor)
    return torch.linalg.solve_triangular(factor, eye, upper=False)


def inverse_spd(matrix: Tensor) -> Tensor:
    """Inverse (..., n, n) of positive definite matrices; where they are not, of their diagonal."""
    inverse_factor = inverse_tril(safe_cholesky(matrix))
    return inverse_factor.mT @ inverse_factor


def solve_spd(matrix: Tensor, right: Tensor) -> Tensor:
    """Solve `matrix x = right` (..., n); where not positive definite, with the diagonal alone."""
    if matrix.requires_grad:
        # The derivative of a failed factorisation is NaN even where its value is switched off.
        _, info = torch.linalg.cholesky_ex(matrix.detach())
        diagonal = torch.diag_embed(matrix.diagonal(dim1=-2, dim2=-1))
        matrix = torch.where((info != 0)[..., None, None], diagonal, matrix)
    factor = safe_cholesky(matrix)
    if factor.is_cuda:  # cholesky_solve calls MAGMA there, which waits, so that no graph can hold it
        half = torch.linalg.solve_triangular(factor, right[..., None], upper=False)
        return torch.linalg.solve_triangular(factor.mT, half, upper=True).squeeze(-1)
    return torch.cholesky_solve(right[..., None], factor).squeeze(-1)


def well_posed(hessian: Tensor) -> Tensor:
    """Whether symmetric matrices (..., n, n) are positive definite beyond rounding: (...) bool.

    Scaled to a unit diagonal, a pivot of the factorisation is the share of its variable that the earlier
    ones do not explain. False for NaN.
    """
    scale = hessian.diagonal(dim1=-2, dim2=-1).sqrt()
    correlation = hessian / (scale[..., None] * scale[..., None, :])
    factor, info = torch.linalg.cholesky_ex(correlation)
    pivots = factor.diagonal(dim1=-2, dim2=-1).square()
    least = 64 * torch.finfo(hessian.dtype).eps
    return (info == 0) & (pivots > least).all(-1)
