"""From correspondences to one pose: which start wins, on points of one plane above all."""

import pytest
import torch
from torch import Tensor

from epropnp.inference.config import EvaluationConfig
from epropnp.inference.poses import best_pose
from epropnp.pnp import Camera, Correspondences, EProPnP, pose
from tests.pnp.scenes import random_pose


def faces(thickness_m: float, offset_m: float, noise_px: float) -> tuple[Correspondences, Tensor]:
    """One face of 8 cm, 0.8 m away, seen from its front or back: correspondences and rotations (B, 4)."""
    generator = torch.Generator().manual_seed(0)
    truth = random_pose(80, generator)
    truth[:, :3] = torch.tensor([0.05, -0.03, 0.8])
    points = (torch.rand(80, 120, 3, generator=generator, dtype=torch.float64) - 0.5) * 0.08
    points[..., 2] = points[..., 2] * (thickness_m / 0.08) + offset_m
    K = torch.tensor([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]]).double().expand(80, 3, 3)
    image = pose.transform(truth, points) @ K.mT
    image = image[..., :2] / image[..., 2:]
    image += noise_px * torch.randn(image.shape, generator=generator, dtype=torch.float64)
    broad = pose.quat_to_rotmat(truth[:, 3:])[:, 2, 2].abs() > 0.4
    image = image[broad]
    given = Correspondences(
        points_obj=points[broad].float(),
        points_img=image.float(),
        weights=torch.full_like(image, 0.3).float(),
        camera=Camera(K[broad], image.amin(1) - 60, image.amax(1) + 60),
    )
    return given, truth[broad, 3:]


def share_right(given: Correspondences, truth: Tensor, **settings: object) -> float:
    """Of poses within 10 degrees."""
    config, random = EvaluationConfig(**settings), torch.Generator().manual_seed(0)  # type: ignore[arg-type]
    found = best_pose(EProPnP(), given, config, random)
    angle_deg = torch.rad2deg(pose.rotation_angle(found.pose[:, 3:].double(), truth))
    return (angle_deg < 10).double().mean().item()


@pytest.mark.parametrize(
    ("thickness_m", "offset_m", "noise_px"), [(0, 0, 0), (0, 0.04, 0.1), (3e-4, 0, 0.1), (0.08, 0, 0.5)]
)
def test_epnp_with_rivals_finds_every_face_and_solid(
    thickness_m: float, offset_m: float, noise_px: float
) -> None:
    given, truth = faces(thickness_m, offset_m, noise_px)
    assert share_right(given, truth, initial="epnp_or_random", proposals=64) == 1


def test_rivals_are_as_many_as_the_proposals() -> None:
    """On a face that EPnP alone misses in about half of the views, each random start finds some more."""
    given, truth = faces(0, 0.04, 0.1)
    alone = share_right(given, truth, initial="epnp")
    few, more = (share_right(given, truth, initial="epnp_or_random", proposals=n) for n in (2, 8))
    assert alone < 0.6
    assert alone < few < more


def test_on_a_solid_the_pose_of_epnp_needs_no_luck() -> None:
    given, truth = faces(0.08, 0, 0.5)
    assert share_right(given, truth, initial="random", proposals=1, iterations=0) < 0.5
    assert share_right(given, truth, initial="epnp_or_random", proposals=1, iterations=0) == 1
