"""Pose errors and their summaries, by the definitions of the study's protocol (section 4).

Errors are per image; accuracies are percentages with strict `<`. ADD is Hinterstoisser et al. (ACCV 2012),
ADI its closest-point form for symmetric objects; n deg n cm is Shotton et al. (CVPR 2013); the reprojection
error is Brachmann et al. (CVPR 2016).
"""

import numpy as np
from scipy.integrate import simpson
from scipy.spatial import cKDTree

Array = np.ndarray
CHUNK = 64  # poses per block, so that (poses, points, 3) stays small


def transform(T: Array, points: Array) -> Array:
    """Model points (P, 3) under poses (n, 4, 4): camera coordinates (n, P, 3)."""
    return np.asarray(points @ T[:, :3, :3].transpose(0, 2, 1) + T[:, None, :3, 3])


def add_error(T_pred: Array, T_true: Array, points: Array) -> Array:
    """Mean distance in metres between corresponding model points, (n,)."""
    blocks = [
        np.linalg.norm(
            transform(T_pred[i : i + CHUNK], points) - transform(T_true[i : i + CHUNK], points),
            axis=2,
        )
        for i in range(0, len(T_pred), CHUNK)
    ]
    return np.concatenate([b.mean(1) for b in blocks]) if blocks else np.zeros(0)


def adi_error(T_pred: Array, T_true: Array, points: Array) -> Array:
    """Mean distance in metres from each true model point to the closest predicted one, (n,).

    Measured in the object frame of the prediction, so that one search tree serves every pose.
    """
    tree = cKDTree(points)
    errors = np.full(len(T_pred), np.nan)
    for i in np.flatnonzero(np.isfinite(T_pred).all((1, 2))):
        relative = np.linalg.inv(T_pred[i]) @ T_true[i]
        errors[i] = tree.query(transform(relative[None], points)[0])[0].mean()
    return errors


def rotation_error_deg(R_pred: Array, R_true: Array) -> Array:
    """Angle between rotations (n, 3, 3), degrees (n,).

    From the chord between the matrices: exact near 0, where the arc cosine of the trace is not.
    """
    chord = np.linalg.norm(R_pred - R_true, axis=(1, 2)) / np.sqrt(8)  # sin(angle / 2)
    return np.asarray(np.degrees(2 * np.arcsin(chord.clip(0, 1))))


def half_turn_error_deg(R_pred: Array, R_true: Array) -> Array:
    """As `rotation_error_deg`, but above 90 degrees measured again after half a turn about the object's z."""
    direct = rotation_error_deg(R_pred, R_true)
    turned = rotation_error_deg(R_pred @ np.diag([-1.0, -1.0, 1.0]), R_true)
    return np.where(direct > 90, turned, direct)


def translation_error_m(T_pred: Array, T_true: Array) -> Array:
    """Distance between object origins in metres, (n,)."""
    return np.asarray(np.linalg.norm(T_pred[:, :3, 3] - T_true[:, :3, 3], axis=1))


def projection_error_px(T_pred: Array, T_true: Array, points: Array, K: Array) -> Array:
    """Mean distance in pixels between projected model points, (n,); K is (n, 3, 3)."""

    def project(T: Array, K: Array) -> Array:
        rays = transform(T, points) @ K.transpose(0, 2, 1)
        return np.asarray(rays[..., :2] / rays[..., 2:])

    blocks = []
    for i in range(0, len(T_pred), CHUNK):
        part = slice(i, i + CHUNK)
        gap = project(T_pred[part], K[part]) - project(T_true[part], K[part])
        blocks.append(np.linalg.norm(gap, axis=2).mean(1))
    return np.concatenate(blocks) if blocks else np.zeros(0)


def accuracy(errors: Array, threshold: float) -> float:
    """Percentage of errors strictly below the threshold; NaN errors are misses."""
    return float(100 * np.mean(errors < threshold)) if len(errors) else float("nan")


def area_under_curve(relative_errors: Array, limit: float = 0.1, steps: int = 1000) -> float:
    """The report's "ADD(-S) Mean": area under accuracy against threshold on [0, limit], over limit, percent.

    Simpson's rule on 1000 steps, as in the report.
    """
    thresholds = np.linspace(0, limit, steps + 1)
    below = np.searchsorted(np.sort(relative_errors), thresholds, side="left") / max(len(relative_errors), 1)
    return float(100 * simpson(below, x=thresholds) / limit)


def degcm_accuracy(angle_deg: Array, distance_m: Array, n: float) -> float:
    """Percentage of images with rotation error < n degrees and translation error < n centimetres."""
    return float(100 * np.mean((angle_deg < n) & (100 * distance_m < n))) if len(angle_deg) else float("nan")
