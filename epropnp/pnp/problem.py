"""The correspondences as the solvers see them: one dtype, component-major, masked and centred."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from epropnp.pnp.camera import Camera
from epropnp.pnp.space import PoseSpace


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Correspondences of B objects, component-major; leading dimensions before B are allowed."""

    points_obj: Tensor  # (..., B, 3, N) metres, object frame
    points_img: Tensor  # (..., B, 2, N) px
    weights: Tensor  # (..., B, 2, N) 1/px
    camera: Camera
    delta: Tensor  # (B,) Huber threshold on the weighted residual norm, infinite for a plain cost
    space: PoseSpace
    compiled: bool = False  # whether `sample_cost` runs as compiled kernels

    def detach(self) -> "Problem":
        """The same problem without gradient."""
        return replace(
            self,
            points_obj=self.points_obj.detach(),
            points_img=self.points_img.detach(),
            weights=self.weights.detach(),
            delta=self.delta.detach(),
        )

    def select(self, index: Tensor) -> "Problem":
        """Sub-problems (P, B, ..., n) of the points with `index` (P, B, n)."""

        def pick(values: Tensor) -> Tensor:
            proposals, components = index.shape[0], values.shape[-2]
            source = values.expand(proposals, *values.shape)
            return source.gather(-1, index[..., None, :].expand(-1, -1, components, -1))

        return replace(
            self,
            points_obj=pick(self.points_obj),
            points_img=pick(self.points_img),
            weights=pick(self.weights),
        )


@dataclass(frozen=True)
class Correspondences:
    """What a user gives: N points of B objects.

    Attributes:
        points_obj: (B, N, 3) metres, object frame.
        points_img: (B, N, 2) px.
        weights: (B, N, 2) >= 0, 1/px.
        camera: B cameras.
        mask: (B, N) bool, false for padding where objects have fewer than N points: such entries may
            hold anything, NaN too.

    Raises:
        ValueError: the shapes do not fit together.
    """

    points_obj: Tensor
    points_img: Tensor
    weights: Tensor
    camera: Camera
    mask: Tensor | None = None

    def __post_init__(self) -> None:
        batch, count = self.points_obj.shape[:2]
        given = {"points_obj": self.points_obj, "points_img": self.points_img, "weights": self.weights}
        expected: dict[str, tuple[int, ...]] = dict.fromkeys(given, (batch, count, 2))
        expected |= {"points_obj": (batch, count, 3), "camera.K": (batch, 3, 3), "mask": (batch, count)}
        given["camera.K"] = self.camera.K
        if self.mask is not None:
            given["mask"] = self.mask
        for name, tensor in given.items():
            if tuple(tensor.shape) != expected[name]:
                raise ValueError(f"{name}: expected shape {expected[name]}, got {tuple(tensor.shape)}")

    def cleaned(self) -> "Correspondences":
        """In the widest dtype of the three, at least float32, with zeros where the mask is false."""
        values = widened(self.points_obj, self.points_img, self.weights)
        if self.mask is not None:
            # A switch, not a product: padding may be NaN, and its gradient must be zero.
            values = [torch.where(self.mask[..., None], x, 0.0) for x in values]
        return Correspondences(values[0], values[1], values[2], self.camera.to(values[2]), self.mask)

    def centre(self) -> Tensor:
        """Weighted mean (B, 3) of the object points, without gradient."""
        weights = self.weights.detach().mean(-1, keepdim=True)  # (B, N, 1)
        total = weights.sum(-2).clamp(min=torch.finfo(weights.dtype).tiny)
        return (self.points_obj.detach() * weights).sum(-2) / total

    def problem(self, delta: Tensor, space: PoseSpace, centre: Tensor | None, compiled: bool) -> Problem:
        """For the solvers, seen from `centre` (B, 3)."""
        points_obj = self.points_obj if centre is None else self.points_obj - centre[:, None]
        return Problem(
            points_obj=points_obj.mT.contiguous(),
            points_img=self.points_img.mT.contiguous(),
            weights=self.weights.mT.contiguous(),
            camera=self.camera,
            delta=delta.to(self.weights.dtype),
            space=space,
            compiled=compiled,
        )


def widened(*tensors: Tensor) -> list[Tensor]:
    """All in the widest dtype among them, at least float32."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return [tensor.to(dtype) for tensor in tensors]


def adaptive_delta(
    points_img: Tensor, weights: Tensor, mask: Tensor | None, relative_delta: Tensor | float
) -> Tensor:
    """Huber threshold (B,) `relative_delta * mean(weights) * sqrt(var_x + var_y)`.

    Image points (px) and weights are (B, N, 2), the mask is (B, N); the variance is the unbiased one over
    the points. The result carries gradient to all but the mask.
    """
    kept = torch.ones_like(weights[..., 0], dtype=torch.bool) if mask is None else mask
    count = kept.sum(-1).clamp(min=1)  # (B,)
    mean = points_img.sum(-2) / count[:, None]
    deviation = torch.where(kept[..., None], points_img - mean[:, None], 0.0)
    variance = deviation.square().sum(dim=(-2, -1)) / (count - 1).clamp(min=1)
    # sqrt has no derivative at zero, which a single point would meet.
    spread = variance.clamp(min=torch.finfo(variance.dtype).tiny).sqrt()
    return relative_delta * weights.sum(dim=(-2, -1)) / (2 * count) * spread
