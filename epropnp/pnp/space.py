"""What a pose is to the layer: six degrees of freedom, or four for objects that stand upright.

A space names the numbers of a pose, its rotation matrix and its local coordinates; solvers and sampler
are written once for both.
"""

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from epropnp.pnp import draws
from epropnp.pnp import pose as pose_algebra
from epropnp.pnp.draws import Randomness

ROUNDING = 64  # units in the last place that the length of a unit quaternion may be off


class PoseSpace(ABC):
    """Poses (..., size) = [translation (m), rotation]; local coordinates (..., dof) = [dt, omega].

    `omega` (rad) turns about those axes of the camera that `axes` lists: `R' = exp([omega]x) R` to
    first order.
    """

    size: int
    axes: tuple[int, ...]

    @property
    def dof(self) -> int:
        """Degrees of freedom."""
        return 3 + len(self.axes)

    @abstractmethod
    def rotmat(self, pose: Tensor) -> Tensor:
        """Rotation matrices (..., 3, 3) of poses (..., size)."""

    @abstractmethod
    def retract(self, pose: Tensor, delta: Tensor) -> Tensor:
        """Poses (..., size) moved by local coordinates (..., dof)."""

    @abstractmethod
    def normalised(self, pose: Tensor) -> Tensor:
        """Poses (..., size) whose rotation is one; NaN where no scale makes it one."""

    @abstractmethod
    def turn(self, pose: Tensor, relative: Tensor) -> Tensor:
        """Rotations (..., size - 3) of poses (..., size), turned by `relative` in the axes of the camera."""

    @abstractmethod
    def random_rotations(self, poses: int, like: Tensor, generator: Randomness) -> Tensor:
        """Uniform rotations (poses, B, size - 3), for `like` (B, ...)."""

    def shift_origin(self, pose: Tensor, offset: Tensor) -> Tensor:
        """The same placement of an object whose origin moves by `offset` (..., 3) in its own frame."""
        lever = (self.rotmat(pose) * offset[..., None, :]).sum(-1)
        return torch.cat((pose[..., :3] + lever, pose[..., 3:]), dim=-1)

    def shift_covariance(self, covariance: Tensor, pose: Tensor, offset: Tensor) -> Tensor:
        """Local covariance (..., dof, dof) of `shift_origin(pose, offset)` from that of `pose`."""
        x, y, z = (self.rotmat(pose) * offset[..., None, :]).sum(-1).unbind(-1)
        zero = torch.zeros_like(x)
        # d(R offset) = omega x (R offset)
        columns = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
        jacobian = torch.eye(self.dof, dtype=x.dtype, device=x.device).repeat(*x.shape, 1, 1)
        for column, axis in enumerate(self.axes):
            jacobian[..., :3, 3 + column] = torch.stack(columns[axis], dim=-1)
        return jacobian @ covariance @ jacobian.mT


class SixDoF(PoseSpace):
    """`[tx, ty, tz, qw, qx, qy, qz]`, see `epropnp.pnp.pose`."""

    size, axes = 7, (0, 1, 2)

    def rotmat(self, pose: Tensor) -> Tensor:
        return pose_algebra.quat_to_rotmat(pose[..., 3:])

    def retract(self, pose: Tensor, delta: Tensor) -> Tensor:
        return pose_algebra.retract(pose, delta)

    def normalised(self, pose: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(pose[..., 3:], dim=-1, keepdim=True)
        # A switch: what is a unit quaternion up to rounding stays as it is, bit for bit.
        off = (length - 1).abs() > ROUNDING * torch.finfo(pose.dtype).eps
        return torch.cat((pose[..., :3], torch.where(off, pose[..., 3:] / length, pose[..., 3:])), dim=-1)

    def turn(self, pose: Tensor, relative: Tensor) -> Tensor:
        return pose_algebra.quat_multiply(relative, pose[..., 3:])

    def random_rotations(self, poses: int, like: Tensor, generator: Randomness) -> Tensor:
        return torch.nn.functional.normalize(draws.normal(poses, 4, like, generator), dim=-1)


class FourDoF(PoseSpace):
    """`[tx, ty, tz, yaw]`: rotation by `yaw` (rad) about the camera's y axis alone.

    `R = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]`; for vehicles and furniture seen by a level camera.
    """

    size, axes = 4, (1,)

    def rotmat(self, pose: Tensor) -> Tensor:
        yaw = pose[..., 3]
        cos, sin, zero, one = yaw.cos(), yaw.sin(), torch.zeros_like(yaw), torch.ones_like(yaw)
        return torch.stack((cos, zero, sin, zero, one, zero, -sin, zero, cos), dim=-1).unflatten(-1, (3, 3))

    def retract(self, pose: Tensor, delta: Tensor) -> Tensor:
        return pose + delta

    def normalised(self, pose: Tensor) -> Tensor:
        return pose

    def turn(self, pose: Tensor, relative: Tensor) -> Tensor:
        return pose[..., 3:] + relative

    def random_rotations(self, poses: int, like: Tensor, generator: Randomness) -> Tensor:
        return 2 * math.pi * draws.uniform(poses, 1, like, generator)
