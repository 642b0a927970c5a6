"""The correspondences as the solvers see them: one dtype, component-major, masked and centred."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from epropnp.pnp.camera import Camera
from epropnp.pnp.correspondences import Correspondences
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

    @classmethod
    def of(
        cls,
        given: Correspondences,
        delta: Tensor,
        space: PoseSpace,
        centre: Tensor | None = None,
        compiled: bool = False,
    ) -> "Problem":
        """Cleaned correspondences, the object points seen from `centre` (B, 3)."""
        points_obj = given.points_obj if centre is None else given.points_obj - centre[:, None]
        return cls(
            points_obj=points_obj.mT.contiguous(),
            points_img=given.points_img.mT.contiguous(),
            weights=given.weights.mT.contiguous(),
            camera=given.camera,
            delta=delta.to(given.weights.dtype),
            space=space,
            compiled=compiled,
        )

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


def cleaned(given: Correspondences) -> Correspondences:
    """In the widest dtype of points and weights, at least float32, with zeros where the mask is false."""
    values = widened(given.points_obj, given.points_img, given.weights)
    if given.mask is not None:
        # A switch, not a product: padding may be NaN, and its gradient must be zero.
        values = [torch.where(given.mask[..., None], x, 0.0) for x in values]
    points_obj, points_img, weights = values
    return Correspondences(
        points_obj=points_obj,
        points_img=points_img,
        weights=weights,
        camera=given.camera.to(weights),
        mask=given.mask,
    )


def weighted_centre(given: Correspondences) -> Tensor:
    """Weighted mean (B, 3) of the object points, without gradient."""
    weights = given.weights.detach().mean(-1, keepdim=True)  # (B, N, 1)
    total = weights.sum(-2).clamp(min=torch.finfo(weights.dtype).tiny)
    return (given.points_obj.detach() * weights).sum(-2) / total


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
