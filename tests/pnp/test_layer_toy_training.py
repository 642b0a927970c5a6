"""A network learns through the layer alone, and its posterior means what it says."""

import math
from dataclasses import replace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig, pose

POINTS, BATCH, STEPS = 32, 64, 500
CENTRE = torch.tensor([0.0, 0.0, 2.0, 1.0, 0.0, 0.0, 0.0])
SPREAD = 0.08  # m and rad: of the true poses around the centre
NOISE = torch.tensor([0.011, 0.011, 0.011, 0.013, 0.013, 0.013])  # m and rad: what the input is wrong by


class PoseToPoints(nn.Module):
    """From poses (B, 7) to correspondences."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(7, 512), nn.SiLU(), nn.Linear(512, 512), nn.SiLU())
        self.deep, self.linear = nn.Linear(512, 7 * POINTS), nn.Linear(7, 7 * POINTS)
        self.shape = nn.Parameter(torch.rand(POINTS, 3) - 0.5)  # of the mean object, a metre in size
        self.log_scale = nn.Parameter(torch.full((2,), 4.5))

    def forward(self, given: Tensor) -> Correspondences:
        unit = (given - CENTRE) / (SPREAD * torch.tensor([1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5]))
        values = self.deep(self.trunk(unit)) + self.linear(unit)
        obj, img, weights = values.unflatten(-1, (POINTS, 7)).split((3, 2, 2), dim=-1)
        mean_img = self.shape[:, :2] / (2 + self.shape[:, 2:])
        return Correspondences(
            points_obj=self.shape + 0.1 * obj,
            points_img=mean_img.detach() + 0.3 * img,
            weights=torch.softmax(weights, dim=-2) * self.log_scale.exp(),
            camera=camera(len(given)),
        )


def random_poses(count: int, generator: torch.Generator) -> Tensor:
    local = SPREAD * torch.randn(count, 6, generator=generator)
    return pose.retract(CENTRE.expand(count, 7), local)


def noisy(poses: Tensor, generator: torch.Generator) -> Tensor:
    return pose.retract(poses, NOISE * torch.randn(len(poses), 6, generator=generator))


def camera(count: int) -> Camera:
    """Normalised image coordinates."""
    box = torch.tensor([4.0, 4.0]).expand(count, 2)
    return Camera(torch.eye(3).expand(count, 3, 3), -box, box)


def train(net: PoseToPoints, layer: EProPnP, generator: torch.Generator) -> None:
    """Cosine schedule for the network; the global weights follow its falling error to the end."""
    others = [p for name, p in net.named_parameters() if name != "log_scale"]
    optimiser = torch.optim.AdamW([{"params": others, "lr": 8e-3}, {"params": [net.log_scale], "lr": 0.01}])
    rise = [min(1.0, step / 80) * 0.5 * (1 + math.cos(math.pi * step / STEPS)) for step in range(STEPS + 1)]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, [lambda step: rise[step], lambda step: 1.0])
    for _ in range(STEPS):
        truth = random_poses(BATCH, generator)
        given = net(noisy(truth, generator))
        posterior = layer.monte_carlo(given, init_pose=truth, generator=generator)
        loss = layer.cost(given, truth, delta=posterior.delta) + posterior.log_evidence
        optimiser.zero_grad()
        loss.mean().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        schedule.step()


class Outcome(NamedTuple):
    angle_deg: float  # mean errors
    distance_m: float
    inside: float  # share of the truths within the 50 % credible region


def outcome(seed: int) -> Outcome:
    """Train, then test on 2000 further poses, whose truth the solver is not told."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    net = PoseToPoints()
    quick = PnPConfig(kernel="none", sampler="quasi", amis_iterations=2, amis_samples=64)
    train(net, EProPnP(replace(quick, rslm_proposals=1, lm_iterations=3)), generator)
    exact = EProPnP(replace(quick, amis_samples=256))
    truth = random_poses(2000, generator)
    with torch.no_grad():
        given = net(noisy(truth, generator))
        posterior = exact.monte_carlo(given, generator=generator)
        cost_truth = exact.cost(given, truth, delta=posterior.delta)
    found = posterior.solution.pose
    # The share of the posterior that is more likely than the truth is uniform if the posterior is right.
    weights = torch.softmax(posterior.log_weights, dim=0)
    level = (weights * (posterior.cost < cost_truth)).sum(0)
    return Outcome(
        angle_deg=pose.rotation_angle(found[:, 3:], truth[:, 3:]).rad2deg().mean().item(),
        distance_m=(found[:, :3] - truth[:, :3]).norm(dim=-1).mean().item(),
        inside=(level < 0.5).double().mean().item(),
    )


@pytest.mark.slow
def test_identity_map_is_learnt_and_the_posterior_is_calibrated() -> None:
    found = outcome(seed=0)
    # The noise alone makes 1.6 of its standard deviations in three dimensions: 1.19 degrees and 0.0176 m.
    assert found.angle_deg < 1.5
    assert found.distance_m < 0.02
    assert 0.45 < found.inside < 0.55
