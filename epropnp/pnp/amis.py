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
in float32. S^3 turns into itself, so the density is unchanged. With 4 degrees of freedom the measure is
`dt d(yaw)`, the heading counted once, and yaw is sampled relative to the solution, too.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.pnp.compiled import compiled
from epropnp.pnp.config import PnPConfig
from epropnp.pnp.distributions import AngularCentralGaussian, MultivariateT
from epropnp.pnp.draws import Randomness
from epropnp.pnp.linalg import safe_cholesky
from epropnp.pnp.problem import Problem
from epropnp.pnp.sample_cost import sample_cost
from epropnp.pnp.space import FourDoF, PoseSpace
from epropnp.pnp.uniforms import quasi_uniforms, random_uniforms
from epropnp.pnp.von_mises import VonMisesMixture


class Samples(NamedTuple):
    """Importance samples of B pose posteriors, S in all."""

    poses: Tensor  # (S, B, 7) or, with 4 degrees of freedom, (S, B, 4)
    cost: Tensor  # (S, B)
    log_proposal: Tensor  # (S, B) log density of the mixture of all proposals


@dataclass(frozen=True)
class Proposal:
    """Independent translation and relative rotation."""

    translation: MultivariateT
    rotation: AngularCentralGaussian | VonMisesMixture

    @classmethod
    def laplace(cls, translation: Tensor, covariance: Tensor, space: PoseSpace) -> "Proposal":
        """Around a translation (B, 3) and no rotation, with a local covariance (B, dof, dof)."""
        family = VonMisesMixture if isinstance(space, FourDoF) else AngularCentralGaussian
        scale_tril = safe_cholesky(covariance[..., :3, :3])
        return cls(MultivariateT(translation, scale_tril), family.laplace(covariance[..., 3:, 3:]))

    @property
    def noise(self) -> int:
        """Uniform numbers per sample."""
        return self.translation.NOISE + self.rotation.NOISE

    def sample(self, uniform: Tensor) -> Tensor:
        """Relative poses (S, B, size) from uniform numbers (S, B, noise)."""
        first, second = uniform.split((self.translation.NOISE, self.rotation.NOISE), dim=-1)
        return torch.cat((self.translation.sample(first), self.rotation.sample(second)), dim=-1)

    def log_prob(self, relative: Tensor) -> Tensor:
        """Log density (S, B) of relative poses (S, B, size)."""
        return self.translation.log_prob(relative[..., :3]) + self.rotation.log_prob(relative[..., 3:])

    def refit(self, relative: Tensor, weights: Tensor, dispersion: float) -> "Proposal":
        """The proposal that fits weighted samples; weights (S, B) sum to one over S."""
        return Proposal(
            self.translation.refit(relative[..., :3], weights, dispersion),
            self.rotation.refit(relative[..., 3:], weights, dispersion),
        )


@torch.no_grad()
def adaptive_samples(
    problem: Problem,
    pose: Tensor,
    covariance: Tensor,
    config: PnPConfig,
    generator: Randomness = None,
) -> Samples:
    """Draw `amis_iterations` x `amis_samples` poses around solutions (B, size); no gradient.

    `covariance` (B, dof, dof) is that of the solver, in the local coordinates of the problem's space.
    """
    draw, log_density = compiled(_draw, problem.compiled), compiled(_log_density, problem.compiled)
    refit = compiled(_refit, problem.compiled)
    proposals = [Proposal.laplace(pose[..., :3], covariance, problem.space)]
    relative = pose.new_empty(0, *pose.shape)
    poses, costs = relative, relative[..., 0]
    densities: list[Tensor] = []  # of every proposal, at all samples so far
    for round_index in range(config.amis_iterations):
        # 1. Draw from the newest proposal.
        uniform = _uniforms(round_index, proposals[-1].noise, pose, config, generator)
        new, new_poses = draw(proposals[-1], uniform, pose, problem.space)
        relative, poses = torch.cat((relative, new)), torch.cat((poses, new_poses))
        costs = torch.cat((costs, sample_cost(problem, new_poses)))
        # 2. Weight all samples so far by the mixture of all proposals so far.
        earlier = zip(densities, proposals[:-1], strict=True)
        densities = [torch.cat((density, log_density(proposal, new))) for density, proposal in earlier]
        densities.append(log_density(proposals[-1], relative))
        log_proposal = torch.stack(densities).logsumexp(0) - math.log(len(proposals))
        # 3. Fit the next proposal to them.
        if round_index + 1 < config.amis_iterations:
            proposals.append(refit(proposals[-1], relative, -costs - log_proposal, config.dispersion))
    return Samples(poses, costs, log_proposal)


def _draw(proposal: Proposal, uniform: Tensor, pose: Tensor, space: PoseSpace) -> tuple[Tensor, Tensor]:
    """Samples (S, B, size) relative to `pose` (B, size), and the poses they stand for."""
    relative = proposal.sample(uniform)
    return relative, torch.cat((relative[..., :3], space.turn(pose, relative[..., 3:])), dim=-1)


def _log_density(proposal: Proposal, relative: Tensor) -> Tensor:
    return proposal.log_prob(relative)


def _refit(proposal: Proposal, relative: Tensor, log_weights: Tensor, dispersion: float) -> Proposal:
    return proposal.refit(relative, torch.softmax(log_weights, dim=0), dispersion)


def _uniforms(round_index: int, size: int, like: Tensor, config: PnPConfig, generator: Randomness) -> Tensor:
    count = config.amis_samples
    if config.sampler == "quasi":
        return quasi_uniforms(round_index * count, count, size, like, generator)
    return random_uniforms(count, size, like, generator)


def log_evidence(log_weights: Tensor) -> Tensor:
    """`log Z` (B,) from unnormalised log weights (S, B): the log of their mean."""
    return log_weights.logsumexp(0) - math.log(log_weights.shape[0])


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """Kish's effective number of samples (B,), 1 to S, from unnormalised log weights (S, B)."""
    return 1 / torch.softmax(log_weights, dim=0).square().sum(0)
