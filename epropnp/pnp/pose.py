"""Pose algebra: quaternions, rigid transforms and the local parametrisation used by the solvers.

A pose is `(..., 7) = [tx, ty, tz, qw, qx, qy, qz]`: `X_cam = R(q) X_obj + t`, translation in
metres, OpenCV camera frame, unit quaternion with the real part first. `q` and `-q` are the same
rotation; every function here accepts either.

Local parametrisation (6 degrees of freedom): `delta = [dt (m), omega (rad)]`. The translation is
additive; the rotation is multiplied from the left, so `omega` is a rotation vector in the axes of
the camera: `R(q') ~ exp([omega]x) R(q)` to first order.
"""

import torch
from torch import Tensor


def quat_multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product `a * b` of quaternions (..., 4); as rotations, `b` is applied first."""
    aw, ax, ay, az = a.unbind(-1)
    bw, bx, by, bz = b.unbind(-1)
    return torch.stack(
        (
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ),
        dim=-1,
    )


def quat_conjugate(quat: Tensor) -> Tensor:
    """Conjugate of quaternions (..., 4): the inverse rotation of a unit quaternion."""
    return torch.cat((quat[..., :1], -quat[..., 1:]), dim=-1)


def quat_to_rotmat(quat: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) of unit quaternions (..., 4)."""
    w, x, y, z = quat.unbind(-1)
    rows = (
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    )
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def rotmat_to_quat(rotmat: Tensor) -> Tensor:
    """Unit quaternions (..., 4), real part >= 0, of rotation matrices (..., 3, 3)."""
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in rotmat.unbind(-2))
    # The symmetric matrix 4 q q^T, read off R; its row with the largest diagonal element gives q
    # without cancellation.
    outer = torch.stack(
        (
            torch.stack((1 + a + e + i, h - f, c - g, d - b), dim=-1),
            torch.stack((h - f, 1 + a - e - i, b + d, c + g), dim=-1),
            torch.stack((c - g, b + d, 1 - a + e - i, f + h), dim=-1),
            torch.stack((d - b, c + g, f + h, 1 - a - e + i), dim=-1),
        ),
        dim=-2,
    )  # (..., 4, 4)
    best = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)[..., None, None]
    quat = outer.gather(-2, best.expand(*best.shape[:-1], 4)).squeeze(-2)
    quat = torch.where(quat[..., :1] < 0, -quat, quat)
    return torch.nn.functional.normalize(quat, dim=-1)


def transform(pose: Tensor, points: Tensor) -> Tensor:
    """Map object points (..., N, 3) by poses (..., 7) into the camera frame: (..., N, 3), metres.

    Batch dimensions broadcast from the right: poses (S, B, 7) and points (B, N, 3) give (S, B, N,
    3).
    """
    rotmat = quat_to_rotmat(pose[..., 3:])
    # Sums of products, not a matrix product: reduced matmul precision (TF32) would cost half a
    # pixel.
    rotated = (rotmat[..., None, :, :] * points[..., None, :]).sum(-1)
    return rotated + pose[..., None, :3]


def retract(pose: Tensor, delta: Tensor) -> Tensor:
    """Move poses (..., 7) by local coordinates `delta` (..., 6) = [dt (m), omega (rad, camera axes)].

    `t' = t + dt`, `q' = normalize((1, omega / 2) * q)`. This is the Cayley map: it turns by `2
    atan(|omega| / 2)`, which is `|omega|` to second order and never exceeds half a turn, and it is
    smooth at zero.
    """
    step = torch.cat((torch.ones_like(delta[..., :1]), 0.5 * delta[..., 3:]), dim=-1)
    quat = torch.nn.functional.normalize(quat_multiply(step, pose[..., 3:]), dim=-1)
    return torch.cat((pose[..., :3] + delta[..., :3], quat), dim=-1)


def rotation_angle(quat_a: Tensor, quat_b: Tensor) -> Tensor:
    """Angle (...) in radians, 0 to pi, between unit quaternions (..., 4); accurate near zero."""
    relative = quat_multiply(quat_a, quat_conjugate(quat_b))
    return 2 * torch.atan2(torch.linalg.vector_norm(relative[..., 1:], dim=-1), relative[..., 0].abs())


def to_matrix(pose: Tensor) -> Tensor:
    """Homogeneous matrices `T_cam_obj` (..., 4, 4) of poses (..., 7)."""
    top = torch.cat((quat_to_rotmat(pose[..., 3:]), pose[..., :3, None]), dim=-1)  # (..., 3, 4)
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 3] = 1
    return torch.cat((top, bottom), dim=-2)


def from_matrix(matrix: Tensor) -> Tensor:
    """Poses (..., 7) of homogeneous matrices `T_cam_obj` (..., 4, 4)."""
    return torch.cat((matrix[..., :3, 3], rotmat_to_quat(matrix[..., :3, :3])), dim=-1)
