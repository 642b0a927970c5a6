"""Proposal distributions: multivariate t (translation) and angular central Gaussian (rotation).

Both carry no gradient and are batched over B objects; samples and densities have the shape (S, B,
...).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from epropnp.pnp.linalg import inverse_tril, safe_cholesky

DOF = 3  # degrees of freedom of the multivariate t: heavy enough to cover what the covariance misses


def _standard_normal(count: int, like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(count, *like.shape, dtype=like.dtype, device=like.device, generator=generator)


def _matvec(matrix: Tensor, vectors: Tensor) -> Tensor:
    """`matrix (B, n, n) @ vectors (S, B, n)` in full precision, whatever the TF32 setting."""
    return (matrix * vectors[..., None, :]).sum(-1)


def _scatter(vectors: Tensor, weights: Tensor) -> Tensor:
    """`sum_s w v v^T` (B, n, n) of vectors (S, B, n) and weights (S, B)."""
    return (weights[..., None, None] * vectors[..., None] * vectors[..., None, :]).sum(0)


@dataclass(frozen=True)
class MultivariateT:
    """Multivariate t on R^3 with 3 degrees of freedom; density in the Lebesgue measure (m^3)."""

    loc: Tensor  # (B, 3)
    scale_tril: Tensor  # (B, 3, 3) lower Cholesky factor of the scale matrix

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Samples (S, B, 3)."""
        normal = _standard_normal(count, self.loc, generator)
        # A chi-square variable with whole degrees of freedom is a sum of squares of normals.
        chi_square = _standard_normal(count, self.loc[..., :1].expand(-1, DOF), generator)
        mixing = (DOF / chi_square.square().sum(-1, keepdim=True)).sqrt()
        return self.loc + _matvec(self.scale_tril, normal) * mixing

    def log_prob(self, values: Tensor) -> Tensor:
        """Log density (S, B) of values (S, B, 3)."""
        dim = self.loc.shape[-1]
        white = _matvec(inverse_tril(self.scale_tril), values - self.loc)
        normaliser = math.lgamma((DOF + dim) / 2) - math.lgamma(DOF / 2) - dim / 2 * math.log(DOF * math.pi)
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return normaliser - log_det - (DOF + dim) / 2 * (white.square().sum(-1) / DOF).log1p()

    def refit(self, values: Tensor, weights: Tensor, dispersion: float) -> "MultivariateT":
        """Moment fit to values (S, B, 3) with weights (S, B) that sum to one over S.

        Mean and covariance become location and scale.

        The covariance of a t distribution is three times its scale, so the new proposal is wider
        than its target on purpose.
        """
        loc = (weights[..., None] * values).sum(0)
        scale = _scatter(values - loc, weights)
        scale = scale + dispersion * self.scale_tril @ self.scale_tril.mT
        return MultivariateT(loc, safe_cholesky(scale, self.scale_tril))


@dataclass(frozen=True)
class AngularCentralGaussian:
    """Angular central Gaussian on S^3: the direction of a normal vector with covariance `L L^T`.

    The density is in the surface measure of the unit quaternions (total area 2 pi^2) and integrates
    to one over the whole sphere: `q` and `-q` have equal density and count as two points. The scale
    of `L` does not matter.
    """

    scale_tril: Tensor  # (B, 4, 4)

    def sample(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Samples (S, B, 4), unit quaternions."""
        normal = _standard_normal(count, self.scale_tril[..., 0], generator)
        return torch.nn.functional.normalize(_matvec(self.scale_tril, normal), dim=-1)

    def log_prob(self, quats: Tensor) -> Tensor:
        """Log density (S, B) of unit quaternions (S, B, 4)."""
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -math.log(2 * math.pi**2) - log_det - 2 * self._quadratic(quats).log()

    def refit(
        self, quats: Tensor, weights: Tensor, iterations: int, dispersion: float
    ) -> "AngularCentralGaussian":
        """Weighted maximum likelihood fit to quats (S, B, 4); weights (S, B) sum to one.

        Tyler (1987): fixed point `A <- 4 sum_s w q q^T / (q^T A^-1 q)` from the unit matrix. In the
        end `dispersion` x the old scale is added.
        """
        fit = AngularCentralGaussian(safe_cholesky(_scatter(quats, weights), self.scale_tril))
        for _ in range(iterations - 1):
            matrix = _scatter(quats, weights / fit._quadratic(quats))
            fit = AngularCentralGaussian(safe_cholesky(matrix, fit.scale_tril))
        widened = fit._normalised() + dispersion * self._normalised()
        return AngularCentralGaussian(safe_cholesky(widened, self.scale_tril))

    def _quadratic(self, quats: Tensor) -> Tensor:
        return _matvec(inverse_tril(self.scale_tril), quats).square().sum(-1)

    def _normalised(self) -> Tensor:
        matrix = self.scale_tril @ self.scale_tril.mT
        return matrix / matrix.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
