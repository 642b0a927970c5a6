"""Log-evidence of the pose posterior by adaptive multiple importance sampling (AMIS).

Cornuet et al. 2012; EPro-PnP, section 3.2 and supplementary.

Measure: `Z = integral exp(-cost(t, q)) dt dS(q)`, where dt is the Lebesgue measure (m^3) and dS the
surface measure on the WHOLE unit sphere of quaternions (area 2 pi^2): the two quaternions of one
rotation both count. In rotation vectors `dS = |d omega| / 8` on each half, hence for a sharp
posterior `log Z ~ -cost + 3 log(2 pi) - 1/2 log det H - log 4`, with H in metres and radians.

Weights: after K rounds of n samples every sample y, those of earlier rounds too, is weighted by the
deterministic mixture of all K proposals, `w(y) = exp(-cost(y)) / (1/K sum_k q_k(y))`; `Z ~ mean(w)`
over all K n samples. Samples that shaped a later proposal are weighted by it too, which biases log Z
low on broad posteriors: by 0.05 or so with 4 x 128 samples, about one standard deviation.

Rotations are sampled relative to the solver's solution, `q = c * q_solution`: near the identity the
components of c are small where the posterior is narrow, so that its covariance keeps its accuracy
in float32. S^3 turns into itself, so the density is unchanged.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp.config import PnPConfig
from epropnp.pnp.cost import Problem
from epropnp.pnp.distributions import AngularCentralGaussian, MultivariateT
from epropnp.pnp.linalg import inverse_spd, safe_cholesky
from epropnp.pnp.pose import quat_multiply
from epropnp.pnp.sample_cost import sample_cost


class Samples(NamedTuple):
    """Importance samples of B pose posteriors, S in all."""

    poses: Tensor  # (S, B, 7)
    cost: Tensor  # (S, B)
    log_proposal: Tensor  # (S, B) log density of the mixture of all proposals


@dataclass(frozen=True)
class Proposal:
    """Independent translation and relative rotation."""

    translation: MultivariateT
    rotation: AngularCentralGaussian

    @classmethod
    def laplace(cls, translation: Tensor, covariance: Tensor) -> "Proposal":
        """Around a translation (B, 3) and the identity, with a local covariance (B, 6, 6)."""
        tangent = covariance[..., 3:, 3:] / 4  # on S^3 a rotation vector has half its length
        eye = torch.eye(3, dtype=tangent.dtype, device=tangent.device)
        # (I + C^-1)^-1, written so that a narrow C loses no digits: C where narrow, at most I.
        bounded = tangent @ inverse_spd(tangent + eye)
        rotation = torch.zeros(*tangent.shape[:-2], 4, 4, dtype=eye.dtype, device=eye.device)
        rotation[..., 0, 0] = 1
        rotation[..., 1:, 1:] = safe_cholesky(0.5 * (bounded + bounded.mT))
        scale_tril = safe_cholesky(covariance[..., :3, :3])
        return cls(MultivariateT(translation, scale_tril), AngularCentralGaussian(rotation))

    def sample(self, count: int, generator: torch.Generator | None) -> Tensor:
        """Relative poses (S, B, 7)."""
        translation = self.translation.sample(count, generator)
        return torch.cat((translation, self.rotation.sample(count, generator)), dim=-1)

    def log_prob(self, relative: Tensor) -> Tensor:
        """Log density (S, B) of relative poses (S, B, 7)."""
        translation = self.translation.log_prob(relative[..., :3])
        return translation + self.rotation.log_prob(relative[..., 3:])

    def refit(self, relative: Tensor, weights: Tensor, config: PnPConfig) -> "Proposal":
        """The proposal that fits weighted samples; weights (S, B) sum to one over S."""
        return Proposal(
            self.translation.refit(relative[..., :3], weights, config.dispersion),
            self.rotation.refit(relative[..., 3:], weights, config.mle_iterations, config.dispersion),
        )


@torch.no_grad()
def adaptive_samples(
    problem: Problem,
    pose: Tensor,
    covariance: Tensor,
    config: PnPConfig,
    generator: torch.Generator | None = None,
) -> Samples:
    """Draw `amis_iterations` x `amis_samples` poses around solutions (B, 7); no gradient.

    `covariance` (B, 6, 6) is that of the solver, in the local coordinates of `pose.retract`.
    """
    proposals = [Proposal.laplace(pose[..., :3], covariance)]
    relative = pose.new_empty(0, *pose.shape)
    poses, costs = relative, relative[..., 0]
    log_proposal = costs
    for round_index in range(config.amis_iterations):
        # 1. Draw from the newest proposal.
        new = proposals[-1].sample(config.amis_samples, generator)
        relative = torch.cat((relative, new))
        # 2. Their cost, as absolute poses.
        new_poses = torch.cat((new[..., :3], quat_multiply(new[..., 3:], pose[..., 3:])), dim=-1)
        poses = torch.cat((poses, new_poses))
        costs = torch.cat((costs, sample_cost(problem, new_poses)))
        # 3. Weight all samples so far by the mixture of all proposals so far.
        densities = torch.stack([proposal.log_prob(relative) for proposal in proposals])
        log_proposal = densities.logsumexp(0) - math.log(len(proposals))
        # 4. Fit the next proposal to them.
        if round_index + 1 < config.amis_iterations:
            weights = torch.softmax(-costs - log_proposal, dim=0)
            proposals.append(proposals[-1].refit(relative, weights, config))
    return Samples(poses, costs, log_proposal)


def log_evidence(log_weights: Tensor) -> Tensor:
    """`log Z` (B,) from unnormalised log weights (S, B): the log of their mean."""
    return log_weights.logsumexp(0) - math.log(log_weights.shape[0])


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """Kish's effective number of samples (B,), 1 to S, from unnormalised log weights (S, B)."""
    return 1 / torch.softmax(log_weights, dim=0).square().sum(0)
