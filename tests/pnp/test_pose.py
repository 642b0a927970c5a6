"""Pose algebra: group laws, conversions and the local parametrisation."""

import math

import pytest
import torch

from epropnp.pnp import pose
from tests.pnp.scenes import random_pose


def poses(batch: int = 50, seed: int = 0) -> torch.Tensor:
    return random_pose(batch, torch.Generator().manual_seed(seed))


def test_product_of_quaternions_is_product_of_rotations() -> None:
    a, b = poses(seed=1)[:, 3:], poses(seed=2)[:, 3:]
    product = pose.quat_to_rotmat(pose.quat_multiply(a, b))
    torch.testing.assert_close(product, pose.quat_to_rotmat(a) @ pose.quat_to_rotmat(b), atol=1e-14, rtol=0)


def test_rotation_matrix_is_proper_and_ignores_the_sign() -> None:
    quat = poses()[:, 3:]
    rotmat = pose.quat_to_rotmat(quat)
    torch.testing.assert_close(
        rotmat @ rotmat.mT, torch.eye(3).double().expand_as(rotmat), atol=1e-14, rtol=0
    )
    torch.testing.assert_close(torch.linalg.det(rotmat), torch.ones(50).double())
    assert torch.equal(rotmat, pose.quat_to_rotmat(-quat))


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.6, 0, -0.8)])
@pytest.mark.parametrize("angle", [0.0, 1e-9, 1.0, math.pi / 2, math.pi - 1e-9, math.pi])
def test_quaternion_survives_the_matrix_at_every_angle(axis: tuple[float, ...], angle: float) -> None:
    quat = torch.tensor([math.cos(angle / 2), *(math.sin(angle / 2) * x for x in axis)], dtype=torch.float64)
    back = pose.rotmat_to_quat(pose.quat_to_rotmat(quat))
    assert back[0] >= 0
    assert pose.rotation_angle(quat, back) < 1e-14


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_matrix_round_trip(shape: tuple[int, ...], dtype: torch.dtype, atol: float) -> None:
    original = poses(math.prod(shape)).reshape(*shape, 7).to(dtype)
    matrix = pose.to_matrix(original)
    assert matrix.shape == (*shape, 4, 4)
    assert matrix.dtype == dtype
    torch.testing.assert_close(pose.to_matrix(pose.from_matrix(matrix)), matrix, atol=atol, rtol=0)


def test_transform_agrees_with_the_matrix_and_broadcasts() -> None:
    samples = poses(12).reshape(4, 3, 7)
    points = torch.randn(3, 5, 3, dtype=torch.float64)
    homogeneous = torch.cat((points, torch.ones(3, 5, 1)), dim=-1)
    expected = (homogeneous @ pose.to_matrix(samples).mT)[..., :3]
    torch.testing.assert_close(pose.transform(samples, points), expected, atol=1e-14, rtol=0)


def test_retract_turns_about_camera_axes_from_the_left() -> None:
    start = poses(1)[0]
    angle = 0.1  # 2 atan(omega / 2) = angle
    delta = torch.tensor([0.1, 0.2, 0.3, 0, 0, 2 * math.tan(angle / 2)], dtype=torch.float64)
    moved = pose.retract(start, delta)
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(moved[:3], start[:3] + delta[:3])
    torch.testing.assert_close(pose.quat_to_rotmat(moved[3:]), turn @ pose.quat_to_rotmat(start[3:]))


def test_derivative_of_retract_is_identity_and_cross_product() -> None:
    start, point = poses(1)[0], torch.tensor([[0.03, -0.02, 0.05]], dtype=torch.float64)
    zero = torch.zeros(6, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda delta: pose.transform(pose.retract(start, delta), point)[0], zero
    )
    x, y, z = pose.quat_to_rotmat(start[3:]) @ point[0]
    cross = torch.tensor([[0, z, -y], [-z, 0, x], [y, -x, 0]], dtype=torch.float64)
    torch.testing.assert_close(jacobian[:, :3], torch.eye(3).double(), atol=1e-14, rtol=0)
    torch.testing.assert_close(jacobian[:, 3:], cross, atol=1e-14, rtol=0)


def test_small_angles_are_accurate_in_float32() -> None:
    start = poses(20).float()
    omega = torch.tensor([0, 0, 0, 3e-5, 0, 4e-5])
    moved = pose.retract(start, omega.expand(20, 6))
    angle = pose.rotation_angle(start[:, 3:], moved[:, 3:])
    torch.testing.assert_close(angle, torch.full((20,), 5e-5), atol=1e-6, rtol=0)
    torch.testing.assert_close(pose.rotation_angle(start[:, 3:], -moved[:, 3:]), angle, atol=1e-6, rtol=0)
