"""Proposal distributions: multivariate t (translation) and angular central Gaussian (rotation).

Both carry no gradient and are batched over B objects; samples and densities have the shape (S, B,
...). Samples are functions of uniform numbers, which may be random or quasi-random.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from epropnp.pnp.linalg import inverse_spd, inverse_tril, safe_cholesky

DOF = 3  # degrees of freedom of the multivariate t: heavy enough to cover what the covariance misses


def _matvec(matrix: Tensor, vectors: Tensor) -> Tensor:
    """`matrix (B, n, n) @ vectors (S, B, n)` in full precision, whatever the TF32 setting."""
    product = matrix[..., 0] * vectors[..., :1]
    for column in range(1, matrix.shape[-1]):
        product = torch.addcmul(product, matrix[..., column], vectors[..., column, None])
    return product


def _scatter(vectors: Tensor, weights: Tensor) -> Tensor:
    """`sum_s w v v^T` (B, n, n) of vectors (S, B, n) and weights (S, B)."""
    return ((weights[..., None] * vectors)[..., None] * vectors[..., None, :]).sum(0)


@dataclass(frozen=True)
class MultivariateT:
    """Multivariate t on R^3 with 3 degrees of freedom; density in the Lebesgue measure (m^3)."""

    loc: Tensor  # (B, 3)
    scale_tril: Tensor  # (B, 3, 3) lower Cholesky factor of the scale matrix

    NOISE = 3 + DOF
    """Uniform numbers per sample."""

    def sample(self, uniform: Tensor) -> Tensor:
        """Samples (S, B, 3) from uniform numbers (S, B, NOISE) in (0, 1)."""
        # A chi-square variable with whole degrees of freedom is a sum of squares of normals.
        normal, chi = torch.special.ndtri(uniform).split((3, DOF), dim=-1)
        mixing = (DOF / chi.square().sum(-1, keepdim=True)).sqrt()
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

    NOISE = 4
    """Uniform numbers per sample."""

    @classmethod
    def laplace(cls, covariance: Tensor) -> "AngularCentralGaussian":
        """Around the identity, for a local covariance (B, 3, 3) of rotation vectors in rad^2."""
        tangent = covariance / 4  # on S^3 a rotation vector has half its length
        eye = torch.eye(3, dtype=tangent.dtype, device=tangent.device)
        # (I + C^-1)^-1, written so that a narrow C loses no digits: C where narrow, at most I.
        bounded = tangent @ inverse_spd(tangent + eye)
        factor = torch.zeros(*tangent.shape[:-2], 4, 4, dtype=eye.dtype, device=eye.device)
        factor[..., 0, 0] = 1
        factor[..., 1:, 1:] = safe_cholesky(0.5 * (bounded + bounded.mT))
        return cls(factor)

    def sample(self, uniform: Tensor) -> Tensor:
        """Unit quaternions (S, B, 4) from uniform numbers (S, B, NOISE) in (0, 1)."""
        normal = torch.special.ndtri(uniform)
        return torch.nn.functional.normalize(_matvec(self.scale_tril, normal), dim=-1)

    def log_prob(self, quats: Tensor) -> Tensor:
        """Log density (S, B) of unit quaternions (S, B, 4)."""
        log_det = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -math.log(2 * math.pi**2) - log_det - 2 * self._quadratic(quats).log()

    def refit(
        self, quats: Tensor, weights: Tensor, dispersion: float, iterations: int = 3
    ) -> "AngularCentralGaussian":
        """Weighted maximum likelihood fit to quats (S, B, 4); weights (S, B) sum to one.

        Tyler (1987): `iterations` of the fixed point `A <- 4 sum_s w q q^T / (q^T A^-1 q)` from the
        unit matrix. In the end `dispersion` x the old scale is added.
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
