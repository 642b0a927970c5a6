"""Both pose spaces: moving an object's origin and its covariance, turning, and uniform rotations."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from epropnp.pnp import EProPnP, PnPConfig, pose
from epropnp.pnp.space import FourDoF, PoseSpace, SixDoF
from tests.pnp.scenes import make_scene, random_pose

SPACES = [SixDoF(), FourDoF()]


def example(space: PoseSpace, batch: int = 3) -> Tensor:
    poses = random_pose(batch, torch.Generator().manual_seed(5))
    return poses if space.size == 7 else torch.cat((poses[:, :3], 3 * poses[:, 4:5]), -1)


def placed(space: PoseSpace, poses: Tensor, point: Tensor) -> Tensor:
    return (space.rotmat(poses) @ point[..., None]).squeeze(-1) + poses[..., :3]


@pytest.mark.parametrize("space", SPACES)
def test_the_origin_moves_in_the_frame_of_the_object(space: PoseSpace) -> None:
    """A point x of the old frame is x - offset in the new one, and stays where it is."""
    poses = example(space)
    offset, point = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    moved = space.shift_origin(poses, offset)
    torch.testing.assert_close(placed(space, moved, point - offset), placed(space, poses, point))
    torch.testing.assert_close(space.rotmat(moved), space.rotmat(poses))


@pytest.mark.parametrize("space", SPACES)
def test_the_covariance_moves_with_the_origin(space: PoseSpace) -> None:
    """By finite differences: how the new translation follows the old local coordinates."""
    poses = example(space)
    offset = torch.tensor([0.3, -0.2, 0.5]).double().expand(3, 3)
    step = 1e-6 * torch.eye(space.dof).double()
    columns = []
    for k in range(space.dof):
        ahead, behind = (
            space.shift_origin(space.retract(poses, sign * step[k].expand(3, -1)), offset) for sign in (1, -1)
        )
        local = torch.zeros(3, space.dof).double()
        local[:, :3] = (ahead - behind)[:, :3] / 2e-6
        local[:, 3:] = step[k, 3:] / 1e-6
        columns.append(local)
    jacobian = torch.stack(columns, -1)  # (B, dof, dof)
    root = torch.randn(3, space.dof, space.dof, generator=torch.Generator().manual_seed(2)).double()
    covariance = root @ root.mT
    expected = jacobian @ covariance @ jacobian.mT
    found = space.shift_covariance(covariance, poses, offset)
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("space", SPACES)
def test_turns_are_in_the_axes_of_the_camera(space: PoseSpace) -> None:
    poses = example(space)
    half = torch.tensor(0.4).double()
    turn = half * 2 if space.size == 4 else torch.stack((half.cos(), half * 0, half.sin(), half * 0))
    turned = torch.cat((poses[:, :3], space.turn(poses, turn.reshape(1, -1))), -1)
    about_y = pose.quat_to_rotmat(torch.stack((half.cos(), half * 0, half.sin(), half * 0)))
    torch.testing.assert_close(space.rotmat(turned), about_y @ space.rotmat(poses))


@pytest.mark.parametrize("space", SPACES)
def test_random_rotations_are_those_of_the_generator(space: PoseSpace) -> None:
    one, same, other = (
        space.random_rotations(3, torch.zeros(2, 1), torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert len(set(one[..., 0].flatten().tolist())) == 6  # of every proposal and object its own


def test_random_headings_cover_the_whole_circle_evenly() -> None:
    yaw = FourDoF().random_rotations(4000, torch.zeros(2, 1), torch.Generator().manual_seed(0))
    assert yaw.shape == (4000, 2, 1)
    counts = torch.histc(yaw.remainder(2 * math.pi), bins=8, min=0, max=2 * math.pi)
    assert (counts - 1000).abs().max() < 120  # four standard deviations


def test_centring_changes_nothing_with_four_degrees_of_freedom_either() -> None:
    scene = make_scene(3, 30)
    shifted = replace(scene.correspondences, points_obj=scene.points_obj + 0.1)
    start = torch.cat((scene.pose_gt[:, :3], torch.zeros(3, 1)), -1)
    found = [
        EProPnP(PnPConfig(dof=4, centred=centred, lm_epsilon=0.0)).solve(
            shifted, init_pose=start, proposals=0, iterations=0
        )
        for centred in (False, True)
    ]
    torch.testing.assert_close(found[0].pose, found[1].pose)
    torch.testing.assert_close(found[0].covariance, found[1].covariance, atol=0, rtol=1e-6)
