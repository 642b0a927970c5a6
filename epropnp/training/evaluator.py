"""Poses for one split: network, random-sample LM, then LM over all cells of the maps."""

import numpy as np
import torch

from epropnp.data.dataset import CropDataset, evaluation_loader
from epropnp.evaluation.predictions import Predictions
from epropnp.models.network import CorrespondenceNet
from epropnp.pnp import EProPnP, pose
from epropnp.training.config import TrialConfig
from epropnp.training.correspondences import correspondences
from epropnp.training.precision import autocast

EVALUATION_SEED = 20220331  # of the random starts; evaluation never draws from the training's random state


@torch.no_grad()
def predict(net: CorrespondenceNet, layer: EProPnP, data: CropDataset, config: TrialConfig) -> Predictions:
    """Predict every record of `data`, in order. The network is left in evaluation mode."""
    device = next(net.parameters()).device
    generator = torch.Generator(device).manual_seed(EVALUATION_SEED)
    net.eval()
    parts: dict[str, list[np.ndarray]] = {"T_pred": [], "covariance": [], "cost": []}
    for cpu_batch in evaluation_loader(data, config.evaluation.batch_size):
        batch = cpu_batch.to(device)
        with autocast(device, config.optim.precision):
            prediction = net(as_image(batch.image))
        found = correspondences(prediction, batch, config.model)
        solution = layer.solve(
            found.points_obj,
            found.points_img,
            found.weights,
            found.camera,
            proposals=config.evaluation.proposals,
            iterations=config.evaluation.iterations,
            generator=generator,
        )
        parts["T_pred"].append(pose.to_matrix(solution.pose.double()).cpu().numpy())
        parts["covariance"].append(solution.covariance.double().cpu().numpy())
        parts["cost"].append(solution.cost.double().cpu().numpy())
    records = data.records
    return Predictions(
        sample_id=[r.sample_id for r in records],
        object_id=np.array([r.object_id for r in records]),
        T_true=np.stack([r.T_cam_obj for r in records]),
        K=np.stack([r.K for r in records]),
        **{name: np.concatenate(values) for name, values in parts.items()},
    )


def as_image(image: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, H, W) in [0, 1], channels last in memory."""
    return image.permute(0, 3, 1, 2).float().div(255)
