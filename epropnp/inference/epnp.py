"""Initial poses by EPnP on the most confident correspondences, as in the report.

On points of one plane about half of them are wrong by far more than noise explains.

Lepetit et al., *EPnP: An Accurate O(n) Solution to the PnP Problem*, IJCV 2009; OpenCV's implementation,
on the host.
"""

import cv2
import numpy as np
import torch
from torch import Tensor

from epropnp.pnp import pose

CONFIDENT_SHARE = 0.2  # of the correspondences
MIN_POINTS = 6  # fewer leave EPnP's control points undetermined


def epnp_poses(points_obj: Tensor, points_img: Tensor, weights: Tensor, K: Tensor) -> Tensor:
    """Poses (B, 7); NaN for an object of which EPnP finds none.

    Args:
        points_obj: (B, N, 3) metres.
        points_img: (B, N, 2) px.
        weights: (B, N, 2) 1/px; their mean over the axes is the confidence.
        K: (B, 3, 3).
    """
    count = min(points_obj.shape[1], max(MIN_POINTS, round(CONFIDENT_SHARE * points_obj.shape[1])))
    chosen = weights.mean(-1).topk(count, dim=1).indices[..., None]  # (B, n, 1)
    objects, images, cameras = (
        tensor.double().cpu().numpy()
        for tensor in (points_obj.take_along_dim(chosen, 1), points_img.take_along_dim(chosen, 1), K)
    )
    matrices = [_epnp(*given) for given in zip(objects, images, cameras, strict=True)]
    return pose.from_matrix(torch.from_numpy(np.stack(matrices))).to(points_obj)


def _epnp(points_obj: np.ndarray, points_img: np.ndarray, K: np.ndarray) -> np.ndarray:
    """T_cam_obj (4, 4)."""
    T = np.full((4, 4), np.nan)
    try:
        found, rotation, translation = cv2.solvePnP(points_obj, points_img, K, None, flags=cv2.SOLVEPNP_EPNP)
    except cv2.error:  # degenerate points
        return T
    if found:
        T[:3, :3], T[:3, 3:] = cv2.Rodrigues(rotation)[0], translation
    return T
