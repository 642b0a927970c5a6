"""What the pose layer takes: weighted 2D-3D correspondences, and the cameras that saw them."""

from dataclasses import dataclass

from torch import Tensor

from epropnp.pnp.camera import Camera


@dataclass(frozen=True, kw_only=True)
class Correspondences:
    """N weighted 2D-3D correspondences of each of B objects.

    Tensors of any float dtype, on one device, with or without gradient; B and N may be 0. Shapes are checked
    here, once; values are not looked at, which would wait for a GPU.

    Attributes:
        points_obj: points on the object, in its own frame, metres, (B, N, 3).
        points_img: where each of them is in the image, px, pixel centres at whole numbers, (B, N, 2).
        weights: how far to trust that, along x and along y, >= 0, 1/px: the reciprocal of the expected error,
            (B, N, 2).
        camera: of each object's image, B cameras.
        mask: false for padding, where objects have fewer than N points, bool (B, N). What is padded may hold
            anything, NaN too. None: every point counts.

    Raises:
        ValueError: the shapes do not fit together.
    """

    points_obj: Tensor
    points_img: Tensor
    weights: Tensor
    camera: Camera
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        if self.points_obj.ndim != 3:
            raise ValueError(f"points_obj: expected shape (B, N, 3), got {tuple(self.points_obj.shape)}")
        batch, count = self.points_obj.shape[:2]
        expected: dict[str, tuple[Tensor, tuple[int, ...]]] = {
            "points_obj": (self.points_obj, (batch, count, 3)),
            "points_img": (self.points_img, (batch, count, 2)),
            "weights": (self.weights, (batch, count, 2)),
            "camera.K": (self.camera.K, (batch, 3, 3)),
        }
        if self.mask is not None:
            expected["mask"] = (self.mask, (batch, count))
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape:
                raise ValueError(f"{name}: expected shape {shape}, got {tuple(tensor.shape)}")
