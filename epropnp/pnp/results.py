"""What the layer returns: solutions, hypotheses, and samples of the posterior."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Solution:
    """Most likely poses, without gradient."""

    pose: Tensor  # (B, 7), or (B, 4) with 4 degrees of freedom
    covariance: Tensor  # (B, dof, dof) inverse Gauss-Newton Hessian, m and rad, see `space.PoseSpace`
    cost: Tensor  # (B,) robust cost, the negative log posterior up to log Z
    accepted: Tensor  # (B,) steps that the final solver took; 0 at a minimum or for NaN
    valid: Tensor  # (B,) bool: false where the correspondences do not determine a pose, or hold NaN


@dataclass(frozen=True)
class MonteCarlo:
    """A solution with S = amis_iterations x amis_samples weighted samples of the posterior."""

    solution: Solution  # its pose is the mode
    samples: Tensor  # (S, B, 7 or 4) poses, without gradient
    cost: Tensor  # (S, B) robust cost of the samples, with gradient
    log_weights: Tensor  # (S, B) unnormalised, with gradient; softmax over S normalises them
    log_evidence: Tensor  # (B,) log Z, with gradient; measure in `epropnp.pnp.amis`
    ess: Tensor  # (B,) effective sample size, 1 to S, without gradient
    delta: Tensor  # (B,) Huber threshold, with gradient


@dataclass(frozen=True)
class Hypotheses:
    """K poses of each object, its most probable one first; see `epropnp.pnp.hypotheses`.

    Fewer than K different poses are filled up with invalid ones. Here a pose is valid by itself: those that
    three points allow are.
    """

    solution: Solution  # its tensors have K before B
    log_mass: Tensor  # (K, B) of the posterior around each, up to a constant; -inf where invalid

    @property
    def probability(self) -> Tensor:
        """Share (K, B) of the posterior's mass; sums to 1 over K, and is 0 where there is no pose at all."""
        return torch.softmax(self.log_mass, 0).nan_to_num(nan=0.0)
