"""The equivalent true pose that a prediction is closest to."""

import math

import torch

from epropnp.losses.symmetry import closest_symmetry
from epropnp.pnp import pose

SCALE = torch.tensor([[0.05, 0.03, 0.08], [0.05, 0.03, 0.08]])  # metres per unit, two objects


def turns(count: int) -> torch.Tensor:
    """`count` turns about an axis beside the origin, (count, 4, 4)."""
    motions = torch.eye(4).repeat(count, 1, 1)
    for k in range(count):
        angle = 2 * math.pi * k / count
        motions[k, :2, :2] = torch.tensor(
            [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
        )
        motions[k, :3, 3] = (torch.eye(3) - motions[k, :3, :3]) @ torch.tensor([0.01, 0.02, 0.0])
    return motions


def maps(points: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return points / SCALE[:, :, None, None] * mask[:, None]


def test_the_chosen_target_is_the_map_that_was_predicted_and_its_pose_gives_the_same_image() -> None:
    torch.manual_seed(0)
    symmetries = turns(4)
    points = torch.rand(2, 3, 5, 5) * 0.1 - 0.05  # metres, object frame
    mask = torch.rand(2, 5, 5) > 0.3
    seen = []
    for k, cloud in zip((1, 3), points, strict=True):  # the network saw the first in turn 1, the other in 3
        inverse = torch.linalg.inv(symmetries[k])
        seen.append(torch.einsum("ij,jhw->ihw", inverse[:3, :3], cloud) + inverse[:3, 3][:, None, None])
    predicted = maps(torch.stack(seen), mask) + 0.01 * torch.randn(2, 3, 5, 5)
    target, T_sym = closest_symmetry(
        predicted, maps(points, mask), mask, SCALE, symmetries.expand(2, 4, 4, 4)
    )
    torch.testing.assert_close(T_sym, symmetries[[1, 3]])
    torch.testing.assert_close(target, maps(torch.stack(seen), mask), atol=1e-5, rtol=1e-4)

    T_true = pose.to_matrix(torch.tensor([[0.1, 0.0, 0.8, 0.5, 0.5, -0.5, 0.5]])).expand(2, 4, 4)
    metres = (target * SCALE[:, :, None, None]).flatten(2).mT  # (B, 25, 3)
    original = points.flatten(2).mT
    chosen = T_true @ T_sym
    in_camera = metres @ chosen[:, :3, :3].mT + chosen[:, None, :3, 3]
    expected = original @ T_true[:, :3, :3].mT + T_true[:, None, :3, 3]
    torch.testing.assert_close(in_camera[mask.flatten(1)], expected[mask.flatten(1)], atol=1e-5, rtol=1e-4)


def test_an_object_without_symmetries_keeps_its_target() -> None:
    target = torch.rand(2, 3, 4, 4)
    mask = torch.ones(2, 4, 4, dtype=torch.bool)
    same = torch.eye(4).expand(2, 3, 4, 4)
    found, T_sym = closest_symmetry(torch.rand(2, 3, 4, 4), target, mask, SCALE, same)
    torch.testing.assert_close(found, target)
    assert torch.equal(T_sym, torch.eye(4).expand(2, 4, 4))


def test_one_stray_cell_does_not_outvote_many_that_fit() -> None:
    """Off by 1.2 in one cell, or by 1.1 in it and by 0.1 in 15 more: squares would choose these."""
    half = turns(2).clone()
    half[:, :3, 3] = 0
    target = torch.zeros(1, 3, 4, 4)
    target[:, 0] = 0.05
    coords = target.clone()
    coords[0, 0, 2, 2] -= 1.2
    mask = torch.ones(1, 4, 4, dtype=torch.bool)
    _, T_sym = closest_symmetry(coords, target, mask, torch.ones(1, 3), half[None])
    assert torch.equal(T_sym[0], half[0])
