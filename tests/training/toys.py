"""Batches, networks and a pose layer made by hand, whose right answers are known."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from epropnp.data.dataset import Batch
from epropnp.data.schema import ObjectModel
from epropnp.models.network import Prediction
from epropnp.pnp import Correspondences

CELLS = 8  # side of the maps: that of an input of 32 px
K = np.array([[572.4114, 0.0, 325.2611], [0.0, 573.57043, 242.04899], [0.0, 0.0, 1.0]])


def about_z(angle_deg: float, shift: Sequence[float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """A turn about z and a shift, (4, 4)."""
    angle, motion = np.deg2rad(angle_deg), np.eye(4)
    motion[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    motion[:3, 3] = shift
    return motion


def looking(turn_deg: float, position: Sequence[float]) -> np.ndarray:
    """A pose T_cam_obj: turned about z, tilted by half a radian about x, then moved before the camera."""
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    T = tilt @ about_z(turn_deg)
    T[:3, 3] = position
    return np.asarray(T)


def made_batch(
    poses: Sequence[np.ndarray], object_id: Sequence[int], places: Sequence[np.ndarray] | None = None
) -> Batch:
    """One crop per pose: each visible cell sees a point that projects exactly onto the cell's centre.

    Crops, scales, depths and masks differ between the rows. They depend on the row and on the position in
    `places`, which are the poses themselves unless given.
    """
    rows = [
        _row(T, T_place[:3, 3], i) for i, (T, T_place) in enumerate(zip(poses, places or poses, strict=True))
    ]
    stacked = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    values = {name: v if v.dtype in (torch.bool, torch.uint8) else v.float() for name, v in stacked.items()}
    count = len(poses)
    return Batch(**values, object_id=torch.tensor(object_id), index=torch.arange(count))


def _row(T: np.ndarray, place: np.ndarray, number: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(number)
    side, scale = 64.0 + 16 * number, np.array([0.05, 0.03, 0.08]) * (1 + 0.1 * number)
    corner = (K @ place)[:2] / place[2] - side / 2 + [3.0, -5.0]
    coords, mask = np.zeros((3, CELLS, CELLS)), rng.random((CELLS, CELLS)) < 0.7
    for row in range(CELLS):
        for column in range(CELLS):
            pixel = [corner[0] + (column + 0.5) * side / CELLS, corner[1] + (row + 0.5) * side / CELLS, 1.0]
            in_camera = np.linalg.inv(K) @ pixel * (place[2] + 0.06 * rng.random() - 0.03)
            coords[:, row, column] = (np.linalg.inv(T) @ [*in_camera, 1.0])[:3] / scale
    return {
        "image": rng.integers(0, 256, (4 * CELLS, 4 * CELLS, 3), dtype=np.uint8),
        "coords": coords * mask,
        "mask": mask,
        "K": K,
        "T_cam_obj": T,
        "corner": corner,
        "side": np.array(side),
        "coord_scale": scale,
    }


def model(object_id: int, symmetries: Sequence[np.ndarray]) -> ObjectModel:
    """An object of which nothing but its symmetries matters."""
    return ObjectModel(
        object_id=object_id,
        name=f"object{object_id}",
        diameter_m=0.1,
        bounds_min=np.full(3, -0.05),
        bounds_max=np.full(3, 0.05),
        symmetric=len(symmetries) > 1,
        symmetries=np.stack(symmetries),
        points=np.zeros((1, 3), np.float32),
    )


class HandLayer(nn.Module):
    """In place of the pose layer: gives the numbers that it was told to, and notes what it was given."""

    def __init__(self, *, cost: Tensor, log_evidence: Tensor, mode: Tensor, step: Tensor) -> None:
        super().__init__()
        self.answers = SimpleNamespace(cost=cost, log_evidence=log_evidence, mode=mode, step=step)
        self.delta = torch.full((len(cost),), 0.7)
        self.noted: dict[str, Any] = {}

    def monte_carlo(
        self, given: Correspondences, *, init_pose: Tensor, generator: torch.Generator
    ) -> SimpleNamespace:
        self.noted["monte_carlo"] = SimpleNamespace(given=given, init_pose=init_pose, generator=generator)
        solution = SimpleNamespace(pose=self.answers.mode)
        return SimpleNamespace(log_evidence=self.answers.log_evidence, solution=solution, delta=self.delta)

    def cost(self, given: Correspondences, pose: Tensor, *, delta: Tensor) -> Tensor:
        self.noted["cost"] = SimpleNamespace(pose=pose, given=given, delta=delta)
        found: Tensor = self.answers.cost
        return found

    def gauss_newton_step(self, given: Correspondences, pose: Tensor, *, delta: Tensor) -> Tensor:
        self.noted["step"] = SimpleNamespace(pose=pose, given=given, delta=delta)
        found: Tensor = self.answers.step
        return found


def reprojection_error_px(given: Correspondences, T_cam_obj: Tensor) -> Tensor:
    """Distance of each correspondence's image point from its projected object point, (B, N)."""
    T = T_cam_obj.double()
    inside = given.points_obj.double() @ T[:, :3, :3].mT + T[:, None, :3, 3]
    projected = inside @ given.camera.K.double().mT
    return (projected[..., :2] / projected[..., 2:] - given.points_img).norm(dim=-1)


def prediction_of(coords: Tensor, log_scale: Tensor | None = None) -> Prediction:
    """Coordinates as they are, beside weight maps without structure."""
    noise = torch.Generator().manual_seed(0)
    logits = torch.randn(len(coords), 2, CELLS, CELLS, generator=noise)
    return Prediction(coords, logits, torch.zeros(len(coords), 2) if log_scale is None else log_scale)
