"""Pinhole camera with general calibration, a depth clamp and an image-plane clamp.

Inside the layer points are component-major, `(..., 3, N)`, so that every elementwise operation runs
over contiguous points.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """A batch of B pinhole cameras.

    Attributes:
        K: (B, 3, 3) calibration, last row (0, 0, 1); K[0, 1] and K[1, 0] may be nonzero (a crop
            turned in the image plane).
        lower: (B, 2) smallest x, y in px that a projected point may take; projections beyond are
            clamped to it.
        upper: (B, 2) largest x, y in px. The caller has extended the box beyond the crop already.
        z_min: depth in metres below which points are treated as lying at this depth.

    Raises:
        ValueError: the shapes do not fit together.
    """

    K: Tensor
    lower: Tensor
    upper: Tensor
    z_min: float = 0.01

    def __post_init__(self) -> None:
        batch = self.K.shape[0]
        expected = {"K": (batch, 3, 3), "lower": (batch, 2), "upper": (batch, 2)}
        for name, shape in expected.items():
            actual = tuple(getattr(self, name).shape)
            if actual != shape:
                raise ValueError(f"Camera.{name}: expected shape {shape}, got {actual}")

    def to(self, like: Tensor) -> "Camera":
        """This camera with the dtype and device of `like`."""
        return Camera(self.K.to(like), self.lower.to(like), self.upper.to(like), self.z_min)


class Projection(NamedTuple):
    """Projected points and their derivative; both clamps give a derivative of zero."""

    points_img: Tensor  # (..., 2, N) px
    jacobian: Tensor  # (..., 3, 2, N) px/m: d points_img / d point_cam, the camera coordinate first


def project(points_cam: Tensor, camera: Camera) -> Projection:
    """Project camera points (..., B, 3, N) in metres.

    `u = clamp(K00 X / Z' + K01 Y / Z' + K02)` with `Z' = max(Z, z_min)`, and `v` likewise. The
    Jacobian of a point is zero when its depth is clamped; one image axis of it is zero when that
    axis is clamped to the box. Autograd through this function sees the same zeros.
    """
    xy, depth = points_cam[..., :2, :], points_cam[..., 2:, :]
    z = depth.clamp(min=camera.z_min)  # (..., B, 1, N)
    col_x, col_y, centre = camera.K[..., :2, :].split(1, dim=-1)  # (B, 2, 1)
    lower, upper = camera.lower[..., None], camera.upper[..., None]  # (B, 2, 1)

    # Pixels from the principal point, (..., B, 2, N).
    central = (col_x * xy[..., 0:1, :] + col_y * xy[..., 1:2, :]) / z
    free = central + centre
    live = (free > lower) & (free < upper) & (depth > camera.z_min)
    clamped = torch.maximum(torch.minimum(free.detach(), upper), lower)
    points_img = torch.where(live, free, clamped)

    # A switch, not a product: 0 x inf would be NaN.
    zero = torch.zeros((), dtype=z.dtype, device=z.device)
    columns = (col_x / z, col_y / z, -central / z)
    jacobian = torch.stack([torch.where(live, column, zero) for column in columns], dim=-3)
    return Projection(points_img, jacobian)
