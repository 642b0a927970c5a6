"""Random PnP problems with a known pose, for the tests of the layer and of the losses."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from epropnp.pnp import Camera, Correspondences, pose
from epropnp.pnp.problem import Problem
from epropnp.pnp.space import SixDoF

LINEMOD_K = ((572.4114, 0.0, 325.2611), (0.0, 573.57043, 242.04899), (0.0, 0.0, 1.0))
TURNED_K = ((500.0, -120.0, 300.0), (110.0, 490.0, 250.0), (0.0, 0.0, 1.0))  # crop turned in the image


@dataclass(frozen=True)
class Scene:
    """B objects of N points; `pose_gt` (B, 7) made the image points, up to noise."""

    points_obj: Tensor
    points_img: Tensor
    weights: Tensor
    camera: Camera
    pose_gt: Tensor

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """What gradients go to."""
        return self.points_obj, self.points_img, self.weights

    @property
    def correspondences(self) -> Correspondences:
        """What the layer's methods take."""
        return Correspondences(
            points_obj=self.points_obj,
            points_img=self.points_img,
            weights=self.weights,
            camera=self.camera,
        )

    def each(self, change: Callable[[Tensor], Tensor]) -> "Scene":
        """With points and weights that are changed alike."""
        obj, img, weights = map(change, self.tensors)
        return Scene(obj, img, weights, self.camera, self.pose_gt)

    def objects(self, which: slice | list[int]) -> "Scene":
        """Some of them."""
        K, lower, upper = (x[which] for x in (self.camera.K, self.camera.lower, self.camera.upper))
        some = self.each(lambda x: x[which])
        return replace(some, camera=Camera(K, lower, upper), pose_gt=self.pose_gt[which])

    def leaves(self) -> "Scene":
        """The same scene with points and weights as leaves that require gradient."""
        return self.each(lambda x: x.detach().clone().requires_grad_())


def random_pose(batch: int, generator: torch.Generator) -> Tensor:
    """Poses (B, 7) in float64: 0.6 to 1.1 m away, inside the image, any rotation."""
    quat = torch.randn(batch, 4, generator=generator, dtype=torch.float64)
    unit = torch.rand(batch, 3, generator=generator, dtype=torch.float64)
    translation = unit * torch.tensor([0.3, 0.2, 0.5]) + torch.tensor([-0.15, -0.1, 0.6])
    return torch.cat((translation, torch.nn.functional.normalize(quat, dim=-1)), dim=-1)


def make_scene(
    batch: int = 4,
    count: int = 64,
    *,
    noise_px: float = 1.0,
    weight: float = 1.0,
    outliers: float = 0.0,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    K: tuple[tuple[float, ...], ...] = LINEMOD_K,
) -> Scene:
    """Points in a cube of 10 cm; `weight` (1/px) is the mean one, `outliers` the share of stray points."""
    generator = torch.Generator().manual_seed(seed)
    pose_gt = random_pose(batch, generator)
    points_obj = 0.1 * (torch.rand(batch, count, 3, generator=generator, dtype=torch.float64) - 0.5)
    matrix = torch.tensor(K, dtype=torch.float64)
    projected = pose.transform(pose_gt, points_obj) @ matrix.T
    clean = projected[..., :2] / projected[..., 2:]
    points_img = clean + noise_px * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
    stray = torch.rand(batch, count, 1, generator=generator, dtype=torch.float64) < outliers
    span = clean.amax(1, keepdim=True) - clean.amin(1, keepdim=True)
    anywhere = clean.amin(1, keepdim=True) + span * torch.rand(
        clean.shape, generator=generator, dtype=torch.float64
    )
    points_img = torch.where(stray, anywhere, points_img)
    weights = weight * (0.5 + torch.rand(batch, count, 2, generator=generator, dtype=torch.float64))
    camera = Camera(
        matrix.expand(batch, 3, 3).to(dtype), (clean.amin(1) - 60).to(dtype), (clean.amax(1) + 60).to(dtype)
    )
    return Scene(points_obj.to(dtype), points_img.to(dtype), weights.to(dtype), camera, pose_gt.to(dtype))


def perturbed(scene: Scene, samples: int, scale: float = 0.05, seed: int = 1) -> Tensor:
    """Poses (S, B, 7) around the true ones; `scale` is the spread in m and rad."""
    generator = torch.Generator().manual_seed(seed)
    shape = (samples, scene.pose_gt.shape[0], 6)
    local = scale * torch.randn(shape, generator=generator, dtype=torch.float64)
    return pose.retract(scene.pose_gt.expand(samples, -1, -1), local.to(scene.pose_gt))


def problem_of(scene: Scene, delta: Tensor) -> Problem:
    """The scene as the solvers see it."""
    return Problem(
        points_obj=scene.points_obj.mT,
        points_img=scene.points_img.mT,
        weights=scene.weights.mT,
        camera=scene.camera,
        delta=delta,
        space=SixDoF(),
    )


def plain_cost(poses: Tensor, scene: Scene, delta: Tensor) -> Tensor:
    """Robust cost (S, B) of poses (S, B, 7) written down from its definition, through plain autograd."""
    points_cam = pose.transform(poses, scene.points_obj)
    depth = points_cam[..., 2:].clamp(min=scene.camera.z_min)
    linear, centre = scene.camera.K[:, None, :2, :2], scene.camera.K[:, None, :2, 2]
    points_img = (linear * (points_cam[..., None, :2] / depth[..., None])).sum(-1) + centre
    points_img = torch.maximum(
        torch.minimum(points_img, scene.camera.upper[:, None]), scene.camera.lower[:, None]
    )
    norm = (scene.weights * (points_img - scene.points_img)).square().sum(-1).sqrt()
    limit = delta[:, None]
    return torch.where(norm <= limit, norm.square() / 2, limit * norm - limit.square() / 2).sum(-1)
