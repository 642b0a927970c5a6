"""The training objective: named, weighted loss terms of one batch."""

import torch
from torch import Tensor, nn

from epropnp.data.dataset import Batch
from epropnp.losses.coordinate import coordinate_loss
from epropnp.losses.derivative import DerivativeLoss
from epropnp.losses.monte_carlo import MonteCarloPoseLoss
from epropnp.models.network import Prediction
from epropnp.pnp import EProPnP, pose
from epropnp.training.config import TrialConfig
from epropnp.training.correspondences import correspondences, random_cells


class Objective(nn.Module):
    """Computes the terms whose weight is not zero. Holds the running scale of the Monte Carlo loss."""

    def __init__(self, config: TrialConfig) -> None:
        super().__init__()
        self.config = config
        self.layer = EProPnP(config.pnp)
        self.monte_carlo = MonteCarloPoseLoss()
        self.derivative = DerivativeLoss()

    def forward(self, prediction: Prediction, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Raw terms by name: `coord`, `mc`, `deriv_t`, `deriv_r`; each a scalar."""
        weights = self.config.loss
        terms = {"coord": coordinate_loss(prediction.coords, batch.coords, batch.mask)}
        if weights.mc or weights.deriv_t or weights.deriv_r:
            terms |= self._pose_terms(prediction, batch, generator)
        return {name: term for name, term in terms.items() if getattr(weights, name)}

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """The weighted sum of the terms."""
        return torch.stack([getattr(self.config.loss, name) * term for name, term in terms.items()]).sum()

    def _pose_terms(
        self, prediction: Prediction, batch: Batch, generator: torch.Generator
    ) -> dict[str, Tensor]:
        chosen = random_cells(batch, self.config.data.points, generator)
        found = correspondences(prediction, batch, self.config.model, chosen)
        points = found.points_obj, found.points_img, found.weights
        pose_true = pose.from_matrix(batch.T_cam_obj)  # (B, 7)
        result = self.layer.monte_carlo(*points, found.camera, pose_init=pose_true, generator=generator)
        cost_true = self.layer.cost(pose_true, *points, found.camera, result.delta)  # (B,)
        weight_scale = prediction.log_scale.detach().exp().mean()
        terms = {"mc": self.monte_carlo(cost_true, result.log_evidence, weight_scale)}
        if self.config.loss.deriv_t or self.config.loss.deriv_r:
            stepped = self.layer.gauss_newton_step(result.solution.pose, *points, found.camera, result.delta)
            derivative = self.derivative(stepped, pose_true)
            terms |= {"deriv_t": derivative.translation, "deriv_r": derivative.rotation}
        return terms
