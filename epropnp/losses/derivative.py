"""Derivative regularisation: the solver's next step should lead to the true pose (EPro-PnP)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class DerivativeTerms(NamedTuple):
    """Scalar losses, averaged over the batch."""

    translation: Tensor  # metres
    rotation: Tensor  # 2 (1 - <q, q_gt>^2) = 2 sin^2(angle / 2), 0 to 2


class DerivativeLoss(nn.Module):
    """Distance of `EProPnP.gauss_newton_step` from the detached solution to the true pose.

    The step carries gradient to points and weights; at the solution its value is near zero, so the
    loss pulls on the solution itself.
    """

    def __init__(self, beta_m: float = 0.05) -> None:
        """`beta_m` is where the translation loss turns from quadratic to linear, in metres."""
        super().__init__()
        self.beta_m = beta_m

    def forward(self, pose_step: Tensor, pose_gt: Tensor) -> DerivativeTerms:
        """Losses of poses (B, 7) after the step against true poses (B, 7)."""
        pose_gt = pose_gt.to(pose_step)
        distance = torch.linalg.vector_norm(pose_step[..., :3] - pose_gt[..., :3], dim=-1)  # (B,)
        translation = nn.functional.smooth_l1_loss(distance, torch.zeros_like(distance), beta=self.beta_m)
        cosine = (pose_step[..., 3:] * pose_gt[..., 3:]).sum(-1)  # of half the angle
        return DerivativeTerms(translation, (2 * (1 - cosine.square())).mean())
