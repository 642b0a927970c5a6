"""On correspondences whose noise is what their weights say, the sampled posterior is calibrated."""

import numpy as np
import torch

from epropnp.evaluation.posterior import PosteriorSampler
from epropnp.pnp import Camera, EProPnP, PnPConfig, pose

OBJECTS, POINTS = 600, 24


def test_credible_regions_contain_the_truth_as_often_as_they_say() -> None:
    torch.manual_seed(0)
    quaternion = torch.nn.functional.normalize(torch.randn(OBJECTS, 4), dim=-1)
    truth = torch.cat((torch.tensor([0.0, 0, 0.8]) + 0.05 * torch.randn(OBJECTS, 3), quaternion), -1)
    points_obj = 0.1 * torch.rand(OBJECTS, POINTS, 3) - 0.05
    K = torch.tensor([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]]).expand(OBJECTS, 3, 3)
    rays = pose.transform(truth, points_obj) @ K.mT
    noise_px = 2.0
    points_img = rays[..., :2] / rays[..., 2:] + noise_px * torch.randn(OBJECTS, POINTS, 2)
    given = (
        points_obj,
        points_img,
        torch.full_like(points_img, 1 / noise_px),
        Camera(K, torch.full((OBJECTS, 2), -500.0), torch.full((OBJECTS, 2), 1500.0)),
    )
    layer = EProPnP(PnPConfig(kernel="none"))
    solution = layer.solve(*given, init_pose=truth, proposals=0, iterations=10)
    elsewhere = pose.retract(truth, torch.tensor([0, 0, 0.5, 0, 0, 0]))  # a worse "symmetry": never the best
    found = PosteriorSampler(layer, 256)(*given, pose=solution.pose, truths=torch.stack((elsewhere, truth)))
    level = found["credible_level"]
    for p in (0.5, 0.8, 0.95):
        assert abs((level <= p).float().mean() - p) < 3 * np.sqrt(p * (1 - p) / OBJECTS)
    torch.testing.assert_close(found["cost_true"], layer.cost(truth, *given))
    assert found["effective_samples"].median() > 60
    # Laplace: log Z = -cost + 3 log 2 pi + log det(covariance) / 2 - log 4
    laplace = -solution.cost + 3 * np.log(2 * np.pi) + solution.covariance.logdet() / 2 - np.log(4)
    assert (found["log_evidence"] - laplace).median().abs() < 0.2
