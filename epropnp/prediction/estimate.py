"""What is known of one object in one box of a picture."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CREDIBLE_LEVEL = 0.95
COVARIANCE = {
    "order": ["tx", "ty", "tz", "rx", "ry", "rz"],
    "units": ["m", "m", "m", "rad", "rad", "rad"],
    "frame": "axes of the camera; t of the object's origin, R turned by exp([r]x) from the left",
}

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The posterior of a pose, and its mode.

    Attributes:
        object_id, object: number and name.
        box: x, y, w, h that was given, px, (4,).
        T_cam_obj: the most likely pose, from the object's frame to the camera's, metres, (4, 4).
        covariance: in the order, units and frame of `COVARIANCE`, (6, 6).
        T_hypotheses: the K different poses, the most probable one first, (K, 4, 4).
        probability: of each of them among the K, (K,).
        radius_m, radius_deg: within this distance and this angle of `T_cam_obj` lie 95 % of the posterior,
            each by itself; NaN where it was not sampled.
        log_evidence: log of the posterior's integral, in the measure of `epropnp.pnp.amis`.
        effective_samples: Kish's effective number of the posterior's samples.
        cost: robust reprojection cost at the pose.
        valid: false where the network's correspondences do not determine a pose.
        overlap: of the box and that of the projected outline, intersection over union.
        equal_poses: how many poses look alike, by the object's symmetries; 1: none but this.
    """

    object_id: int
    object: str
    box: Array
    T_cam_obj: Array
    covariance: Array
    T_hypotheses: Array
    probability: Array
    radius_m: float
    radius_deg: float
    log_evidence: float
    effective_samples: float
    cost: float
    valid: bool
    overlap: float
    equal_poses: int

    def row(self) -> dict[str, Any]:
        """As a table of JSON: plain numbers and lists; null for what is not finite, and for no valid pose."""
        hypotheses = [
            {"T_cam_obj": _plain(T), "probability": _plain(p)}
            for T, p in zip(self.T_hypotheses, self.probability, strict=True)
        ]
        return {
            "object": self.object,
            "object_id": self.object_id,
            "given_box": _plain(self.box),
            "valid": self.valid,
            "T_cam_obj": _plain(self.T_cam_obj) if self.valid else None,
            "covariance": {"matrix": _plain(self.covariance), **COVARIANCE},
            "hypotheses": hypotheses,
            "equal_poses": self.equal_poses,
            "credible_region": {
                "level": CREDIBLE_LEVEL,
                "translation_m": _plain(self.radius_m),
                "rotation_deg": _plain(self.radius_deg),
            },
            "log_evidence": _plain(self.log_evidence),
            "effective_samples": _plain(self.effective_samples),
            "cost": _plain(self.cost),
            "overlap": _plain(self.overlap),
        }


def _plain(values: Any) -> Any:
    """Numbers as JSON has them, `null` for what is not finite."""
    if isinstance(values, np.ndarray):
        return [_plain(value) for value in values]
    return float(values) if math.isfinite(values) else None
