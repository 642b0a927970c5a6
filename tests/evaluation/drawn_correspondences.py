"""Correspondences drawn from the layer's own model, so that its posterior is right by construction."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from epropnp.evaluation.calibration import local_coordinates, squared_mahalanobis
from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig, Solution, pose

POINTS, NOISE_PX = 24, 2.0


@dataclass(frozen=True)
class Drawn:
    """B objects of which the layer knows the noise, and their true poses (B, 7)."""

    layer: EProPnP
    given: Correspondences
    truth: Tensor

    def weighted(self, factor: float) -> Correspondences:
        """The same with wrong weights."""
        return replace(self.given, weights=factor * self.given.weights)


def draw(objects: int, *, delta: float | None = None, seed: int = 0) -> Drawn:
    """Noise of density `exp(-rho(|e| / NOISE_PX))`: Huber's with a threshold `delta`, or normal."""
    torch.manual_seed(seed)
    quaternion = torch.nn.functional.normalize(torch.randn(objects, 4), dim=-1)
    truth = torch.cat((torch.tensor([0.0, 0, 0.8]) + 0.05 * torch.randn(objects, 3), quaternion), -1)
    points_obj = 0.1 * torch.rand(objects, POINTS, 3) - 0.05
    K = torch.tensor([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]]).expand(objects, 3, 3)
    rays = pose.transform(truth, points_obj) @ K.mT
    points_img = rays[..., :2] / rays[..., 2:] + NOISE_PX * _noise((objects, POINTS), delta)
    box = torch.full((objects, 2), 1500.0)
    given = Correspondences(
        points_obj=points_obj,
        points_img=points_img,
        weights=torch.full_like(points_img, 1 / NOISE_PX),
        camera=Camera(K, -box, box),
    )
    kernel = PnPConfig(kernel="none") if delta is None else PnPConfig(kernel="fixed", delta=delta)
    return Drawn(EProPnP(kernel), given, truth)


def solve(drawn: Drawn, factor: float = 1.0) -> Solution:
    """Most likely poses, from the truth."""
    return drawn.layer.solve(drawn.weighted(factor), init_pose=drawn.truth, proposals=0, iterations=20)


def squared_distance(drawn: Drawn, solution: Solution) -> np.ndarray:
    """Squared Mahalanobis distance (B,) of the truth."""
    found, true = (pose.to_matrix(p.double()).numpy() for p in (solution.pose, drawn.truth))
    return squared_mahalanobis(local_coordinates(found, true), solution.covariance.double().numpy())


def _noise(shape: tuple[int, ...], delta: float | None) -> Tensor:
    if delta is None:
        return torch.randn(*shape, 2)
    s = torch.linspace(0, 30 / min(delta, 1), 20001, dtype=torch.float64)
    inner = s.clamp(max=delta)
    inside = (s * torch.exp(-inner * (s - inner / 2))).cumsum(0)  # of the radius
    radius = s[torch.searchsorted(inside / inside[-1], torch.rand(*shape, dtype=torch.float64))]
    angle = 2 * torch.pi * torch.rand(*shape, dtype=torch.float64)
    return (radius[..., None] * torch.stack((angle.cos(), angle.sin()), -1)).float()
