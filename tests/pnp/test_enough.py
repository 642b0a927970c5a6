"""Three points that two poses show alike determine none, however often they are given; a fourth decides."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig, pose

COSINE, DISTANCE_M = 0.75, 0.8


def points_in_camera() -> np.ndarray:
    """Three points at one distance along rays whose angles have one cosine, and a fourth, (4, 3)."""
    axis, across = ((1 + 2 * COSINE) / 3) ** 0.5, (2 * (1 - COSINE) / 3) ** 0.5
    turn = 2 * np.pi / 3 * np.arange(3)
    rays = np.stack((across * np.cos(turn), across * np.sin(turn), np.full(3, axis)), 1)
    return np.concatenate((DISTANCE_M * rays, [[0.1, 0.05, 0.9]]))


def both_poses() -> Tensor:
    """Of an object whose frame is the camera's at first: (2, 7).

    The first point may slide along its ray to `2 COSINE - 1` of its distance: by the law of cosines it is as
    far from the second and third as before.
    """
    seen = points_in_camera()[:3]
    slid = seen * [[2 * COSINE - 1], [1], [1]]
    rotation, residual = Rotation.align_vectors(slid - slid.mean(0), seen - seen.mean(0))
    assert residual < 1e-9
    T = np.tile(np.eye(4), (2, 1, 1))
    T[1, :3, :3], T[1, :3, 3] = rotation.as_matrix(), slid.mean(0) - rotation.apply(seen.mean(0))
    return pose.from_matrix(torch.from_numpy(T))


def shown(chosen: list[int], dtype: torch.dtype = torch.float64) -> Correspondences:
    """The points of that number, of two equal objects."""
    points = torch.from_numpy(points_in_camera()[chosen])
    K = torch.tensor([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]).double()
    image = points @ K.mT
    wide = torch.full((2, 2), 1e4, dtype=dtype)
    return Correspondences(
        points_obj=points.expand(2, -1, -1).to(dtype),
        points_img=(image[:, :2] / image[:, 2:]).expand(2, -1, -1).to(dtype),
        weights=torch.ones(2, len(chosen), 2, dtype=dtype),
        camera=Camera(K.expand(2, 3, 3).to(dtype), lower=-wide, upper=wide),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("chosen", [[0, 1, 2], [0, 1, 2, 2, 0, 1, 1], [2, 0, 1] * 20])
def test_a_triangle_that_two_poses_show_alike_determines_none(chosen: list[int], dtype: torch.dtype) -> None:
    poses = both_poses()
    assert torch.rad2deg(pose.rotation_angle(poses[0, 3:], poses[1, 3:])) > 20
    given = shown(chosen, dtype)
    found = EProPnP().solve(given, init_pose=poses, proposals=0, iterations=10)
    torch.testing.assert_close(found.pose, poses.to(dtype), atol=1e-4, rtol=0)
    assert found.cost.max() < 1e-6  # both fit exactly
    assert found.valid.tolist() == [False, False]
    assert EProPnP().monte_carlo(given, init_pose=poses).solution.valid.tolist() == [False, False]


@pytest.mark.parametrize("chosen", [[0, 1, 2, 3], [3, 3, 2, 2, 1, 1, 0, 0], [0] * 30 + [1, 2, 3]])
def test_a_fourth_point_decides(chosen: list[int]) -> None:
    found = EProPnP().solve(shown(chosen), init_pose=both_poses(), proposals=64, iterations=20)
    assert found.valid.tolist() == [True, True]
    torch.testing.assert_close(pose.to_matrix(found.pose[1]), torch.eye(4).double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("hidden", ["weight", "mask"])
def test_a_fourth_point_without_a_say_does_not(hidden: str) -> None:
    given = shown([0, 1, 2, 3])
    if hidden == "weight":
        given.weights[:, 3] = 0
    else:
        mask = torch.tensor([True, True, True, False]).expand(2, 4)
        given = Correspondences(**vars(given) | {"mask": mask})
    found = EProPnP().solve(given, init_pose=both_poses(), proposals=0)
    assert found.valid.tolist() == [False, False]


def test_several_hypotheses_of_a_triangle_are_valid_each() -> None:
    """They are what to ask for where poses are several."""
    random = torch.Generator().manual_seed(0)
    found = EProPnP().hypotheses(shown([0, 1, 2]), count=2, proposals=64, iterations=30, generator=random)
    assert found.solution.valid.all()
    angles = pose.rotation_angle(found.solution.pose[0, :, 3:], found.solution.pose[1, :, 3:])
    assert torch.rad2deg(angles).min() > 20
    assert found.solution.cost.max() < 1e-6


@pytest.mark.parametrize(("count", "valid"), [(1, False), (2, False), (3, True)])
def test_an_upright_object_needs_three(count: int, valid: bool) -> None:
    layer = EProPnP(PnPConfig(dof=4))
    start = torch.tensor([[0.0, 0, 0, 0]]).double().expand(2, 4)
    found = layer.solve(shown([0, 1, 3][:count]), init_pose=start, proposals=0)
    assert found.valid.tolist() == [valid, valid]
