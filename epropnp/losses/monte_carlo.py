"""Monte Carlo pose loss: KL divergence from the true pose to the prediction (EPro-PnP)."""

import torch
from torch import Tensor, nn


class MonteCarloPoseLoss(nn.Module):
    """`mean(cost(y_gt) + log Z) / norm_factor`: the true pose's negative log posterior.

    The gradient grows with the predicted weights; dividing by a running mean of their scale keeps
    the loss's share of the total. The running mean is part of the state dict and is updated in
    training mode only.
    """

    norm_factor: Tensor

    def __init__(self, momentum: float = 0.01, initial_norm_factor: float = 1.0) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("norm_factor", torch.tensor(initial_norm_factor))

    def forward(self, cost_gt: Tensor, log_evidence: Tensor, weight_scale: Tensor) -> Tensor:
        """Scalar loss.

        Args:
            cost_gt: (B,) robust cost of the true pose, with gradient.
            log_evidence: (B,) log Z, with gradient.
            weight_scale: the predicted scale of the weights, any shape; its mean feeds the running
                average, without gradient.

        Raises:
            ValueError: `cost_gt` and `log_evidence` differ in shape.
        """
        if cost_gt.shape != log_evidence.shape:
            shapes = f"{tuple(cost_gt.shape)} and {tuple(log_evidence.shape)}"
            raise ValueError(f"cost_gt and log_evidence: expected equal shapes, got {shapes}")
        if self.training:
            with torch.no_grad():
                self.norm_factor.lerp_(weight_scale.detach().mean().to(self.norm_factor), self.momentum)
        return (cost_gt + log_evidence).mean() / self.norm_factor
