"""Small objects and poses whose errors are known."""

import numpy as np

from epropnp.data.schema import ObjectModel
from epropnp.evaluation.predictions import Predictions

K = np.array([[572.4114, 0, 325.2611], [0, 573.57043, 242.04899], [0, 0, 1]])
POINTS = np.array([[0.05, 0, 0], [-0.05, 0, 0], [0, 0.05, 0], [0, -0.05, 0]])


def turn(axis: str, angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    if axis == "z":
        return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def pose(R: np.ndarray | None = None, t: tuple[float, float, float] = (0, 0, 1)) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = np.eye(3) if R is None else R
    T[:3, 3] = t
    return T[None]


def model(name: str = "cat", symmetric: bool = False) -> ObjectModel:
    return ObjectModel(
        object_id=6,
        name=name,
        diameter_m=0.1,
        bounds_min=POINTS.min(0),
        bounds_max=POINTS.max(0),
        symmetric=symmetric,
        symmetries=np.eye(4)[None],
        points=POINTS.astype(np.float32),
    )


def predictions(T_pred: np.ndarray, T_true: np.ndarray) -> Predictions:
    n = len(T_pred)
    return Predictions(
        sample_id=[f"s{i}" for i in range(n)],
        object_id=np.full(n, 6, np.int16),
        T_pred=T_pred,
        T_true=T_true,
        K=np.repeat(K[None], n, 0),
        image_size=np.tile([640.0, 480.0], (n, 1)),
        crop=np.zeros((n, 3)),
        covariance=np.tile(1e-4 * np.eye(6), (n, 1, 1)),
        cost=np.zeros(n),
        valid=np.ones(n, bool),
    )
