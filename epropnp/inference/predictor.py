"""Poses from crops by a trained network, with nothing but its file.

Example:

    from epropnp.inference import Predictor

    predictor = Predictor("runs/first/best.pt")
    poses = predictor(crops, K, boxes)  # (B, 256, 256, 3) RGB bytes, (B, 3, 3), (B, 3): corner and side in px
    poses.T_cam_obj, poses.covariance
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from epropnp.data.dataset import Crops
from epropnp.errors import UserError
from epropnp.inference.device import chosen_device
from epropnp.inference.model import load_model
from epropnp.inference.poses import described


@dataclass(frozen=True, kw_only=True)
class Poses:
    """Poses of B crops; arrays on the CPU.

    Attributes:
        T_cam_obj: from the object's frame to the camera's, metres, (B, 4, 4).
        covariance: in the local coordinates of `epropnp.pnp.space`, m and rad, (B, 6, 6).
        cost: robust reprojection cost at the pose, (B,).
        valid: false where the correspondences did not determine a pose, bool (B,).
        T_hypotheses: the K different poses of each crop, the first one again first, (B, K, 4, 4); None where
            the network was set to look for one.
        probability: of each of them among the K, (B, K), or None.
    """

    T_cam_obj: np.ndarray
    covariance: np.ndarray
    cost: np.ndarray
    valid: np.ndarray
    T_hypotheses: np.ndarray | None = None
    probability: np.ndarray | None = None


class Predictor:
    """A trained network.

    Args:
        path: `best.pt` of a trial, or an ONNX file of `python -m epropnp.export`.
        device: such as 'cuda' or 'cpu'; None takes an accelerator where there is one.

    Raises:
        UserError: the file is missing, damaged, or does not hold what prediction needs; it is ONNX, and
            onnxruntime is not installed.
    """

    def __init__(self, path: Path | str, device: str | None = None) -> None:
        place = chosen_device(device)
        self.model = load_model(Path(path), place)

    @torch.no_grad()
    def __call__(
        self,
        crops: np.ndarray | Tensor,
        K: np.ndarray | Tensor,
        boxes: np.ndarray | Tensor,
        objects: Sequence[str | int] | None = None,
    ) -> Poses:
        """Poses of the objects in square crops.

        Args:
            crops: RGB, uint8 (B, input_px, input_px, 3).
            K: intrinsics of the pictures that the crops were cut from, (B, 3, 3), or (3, 3) of all.
            boxes: the squares that were cut out, px of those pictures: x, y of the top-left corner and the
                side, (B, 3). Pixel centres are at whole numbers.
            objects: name or id of what is in each crop; not needed by a network of one object.

        Raises:
            UserError: shapes that do not fit, or an object that the network does not know.
        """
        inference = self.model.inference
        given = self._crops(crops, K, boxes, objects)
        parts: list[dict[str, Tensor]] = []
        for start in range(0, len(given.side), inference.settings.batch_size):
            rows = slice(start, start + inference.settings.batch_size)
            part = Crops(**{name: value[rows] for name, value in vars(given).items()}).to(inference.device)
            parts.append(described(inference(part), self.model.temperatures))
        arrays = {name: torch.cat([part[name] for part in parts]).cpu().numpy() for name in parts[0]}
        return Poses(T_cam_obj=arrays.pop("T_pred"), **arrays)

    def _crops(
        self,
        crops: np.ndarray | Tensor,
        K: np.ndarray | Tensor,
        boxes: np.ndarray | Tensor,
        objects: Sequence[str | int] | None,
    ) -> Crops:
        images, squares = torch.as_tensor(crops), torch.as_tensor(boxes, dtype=torch.float32)
        count, side = len(images), self.model.inference.model.input_px
        intrinsics = torch.as_tensor(K, dtype=torch.float32)
        intrinsics = intrinsics.expand(count, 3, 3) if intrinsics.ndim == 2 else intrinsics
        expected = {"crops": (count, side, side, 3), "K": (count, 3, 3), "boxes": (count, 3)}
        for (name, shape), value in zip(expected.items(), (images, intrinsics, squares), strict=True):
            if tuple(value.shape) != shape or not count:
                raise UserError(f"{name}: expected shape {shape}, got {tuple(value.shape)}")
        if images.dtype != torch.uint8:
            raise UserError(f"crops: expected RGB bytes (uint8), got {images.dtype}")
        scales = [self.model.objects[key].coord_scale for key in self.model.object_ids(objects, count)]
        return Crops(
            image=images,
            K=intrinsics,
            corner=squares[:, :2],
            side=squares[:, 2],
            coord_scale=torch.from_numpy(np.stack(scales)).float(),
        )
