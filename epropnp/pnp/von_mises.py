"""Von Mises distribution mixed with the uniform one: the proposal of a heading (4 degrees of freedom)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

UNIFORM_SHARE = 0.25  # covers headings that the solver's covariance knows nothing of, such as the reverse
_LEAST_KAPPA = 1e-3  # as good as uniform
_CANDIDATES = 12  # per sample; each is accepted with probability 0.66 or more, so that 2e-6 of all run out


@dataclass(frozen=True)
class VonMisesMixture:
    """`3/4 von Mises(0, kappa) + 1/4 uniform` on the circle; density in rad.

    Angles are relative to a reference heading, with `loc` near zero.
    """

    loc: Tensor  # (B,) rad
    kappa: Tensor  # (B,) concentration, 1/rad^2 where large

    NOISE = 2 * _CANDIDATES + 1
    """Uniform numbers per sample."""

    @classmethod
    def laplace(cls, covariance: Tensor) -> "VonMisesMixture":
        """For a local covariance (B, 1, 1) in rad^2."""
        variance = covariance[..., 0, 0]
        kappa = 1 / variance.clamp(min=torch.finfo(variance.dtype).tiny)
        return cls(torch.zeros_like(kappa), kappa.clamp(min=_LEAST_KAPPA))

    def sample(self, uniform: Tensor) -> Tensor:
        """Angles (S, B, 1) from uniform numbers (S, B, NOISE): Best and Fisher (1979), without a loop.

        All candidates are drawn and the first accepted one is taken.
        """
        kappa = self.kappa.double()[:, None]  # (B, 1); float32 cannot tell r from f
        tau = 1 + (1 + 4 * kappa.square()).sqrt()
        rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
        r = (1 + rho.square()) / (2 * rho)
        turn, level = uniform[..., 1:].double().split(_CANDIDATES, dim=-1)  # (S, B, candidates)
        z = (2 * math.pi * turn).cos()
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        accepted = (c / level).log() + 1 - c >= 0
        first = accepted.to(torch.int8).argmax(-1, keepdim=True)
        angle = f.clamp(-1, 1).acos() * torch.where(turn < 0.5, 1.0, -1.0)
        narrow = self.loc[:, None] + angle.gather(-1, first).to(self.loc.dtype)  # (S, B, 1)
        choice = uniform[..., :1]
        anywhere = self.loc[:, None] + 2 * math.pi * (choice / UNIFORM_SHARE - 0.5)
        return torch.where(choice < UNIFORM_SHARE, anywhere, narrow)

    def log_prob(self, angles: Tensor) -> Tensor:
        """Log density (S, B) of angles (S, B, 1)."""
        # cos x - 1, written so that a narrow peak keeps its digits
        below_peak = -2 * (0.5 * (angles[..., 0] - self.loc)).sin().square()
        narrow = self.kappa * below_peak - (2 * math.pi * torch.special.i0e(self.kappa)).log()
        flat = torch.full_like(narrow, math.log(UNIFORM_SHARE / (2 * math.pi)))
        return torch.logaddexp(narrow + math.log(1 - UNIFORM_SHARE), flat)

    def refit(self, angles: Tensor, weights: Tensor, dispersion: float) -> "VonMisesMixture":
        """Weighted fit to angles (S, B, 1); weights (S, B) sum to one over S.

        The concentration solves `I1 / I0 (kappa) = R` to a few percent (Banerjee et al. 2005);
        `dispersion` x the old spread is added.
        """
        offset = angles[..., 0] - self.loc
        sin, cos = ((weights * part).sum(0) for part in (offset.sin(), offset.cos()))
        loc = self.loc + torch.atan2(sin, cos)
        half = (0.5 * (angles[..., 0] - loc)).sin().square()
        spread = (weights * half).sum(0) + dispersion / (4 * self.kappa)  # (1 - R) / 2, at most 1
        length = 1 - 2 * spread
        kappa = length * (2 - length.square()) / (4 * spread * (1 - spread))
        return VonMisesMixture(loc, kappa.clamp(min=_LEAST_KAPPA))
