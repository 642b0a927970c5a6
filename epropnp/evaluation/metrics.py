"""Pose errors and their summaries, by the definitions of the study's protocol (section 4).

Errors are per image; accuracies are percentages with strict `<`. ADD is Hinterstoisser et al. (ACCV 2012),
ADI its closest-point form for symmetric objects; n deg n cm is Shotton et al. (CVPR 2013); the reprojection
error is Brachmann et al. (CVPR 2016); MSSD and MSPD are the BOP challenge's (Hodan et al., ECCVW 2020).
"""

import functools

import numpy as np
import scipy  # whose parts load when they are used

Array = np.ndarray
CHUNK = 64  # poses per block, so that (poses, 3, points) stays small


def transform(T: Array, points: Array) -> Array:
    """Model points (P, 3) under poses (n, 4, 4): camera coordinates (n, 3, P).

    Points come last here, for all that follows: with coordinates last it takes five times as long.
    """
    return np.asarray(T[:, :3, :3] @ np.ascontiguousarray(points.T) + T[:, :3, 3:])


def add_error(T_pred: Array, T_true: Array, points: Array) -> Array:
    """Mean distance in metres between corresponding model points, (n,)."""
    blocks = [
        np.linalg.norm(
            transform(T_pred[i : i + CHUNK], points) - transform(T_true[i : i + CHUNK], points),
            axis=1,
        )
        for i in range(0, len(T_pred), CHUNK)
    ]
    return np.concatenate([b.mean(1) for b in blocks]) if blocks else np.zeros(0)


def adi_error(T_pred: Array, T_true: Array, points: Array, threads: int = -1) -> Array:
    """Mean distance in metres from each true model point to the closest predicted one, (n,).

    Measured in the object frame of the prediction, so that one search tree serves every pose. The numbers are
    the same with any number of threads; -1: one per core.
    """
    # As exact as SciPy's default tree, and up to four times faster, most of all for poses that are far off.
    tree = scipy.spatial.cKDTree(points, leafsize=24, balanced_tree=False, compact_nodes=False)
    errors = np.full(len(T_pred), np.nan)
    for i in np.flatnonzero(np.isfinite(T_pred).all((1, 2))):
        relative = np.linalg.inv(T_pred[i]) @ T_true[i]
        errors[i] = tree.query(transform(relative[None], points)[0].T, workers=threads)[0].mean()
    return errors


def rotation_error_deg(R_pred: Array, R_true: Array) -> Array:
    """Angle between rotations (n, 3, 3), degrees (n,).

    From the chord between the matrices: exact near 0, where the arc cosine of the trace is not.
    """
    chord = np.linalg.norm(R_pred - R_true, axis=(1, 2)) / np.sqrt(8)  # sin(angle / 2)
    return np.asarray(np.degrees(2 * np.arcsin(chord.clip(0, 1))))


def turned_nearer(T_pred: Array, T_true: Array) -> Array:
    """Predicted poses (n, 4, 4), those off by more than 90 degrees after half a turn about the object's z."""
    far = rotation_error_deg(T_pred[:, :3, :3], T_true[:, :3, :3]) > 90
    return np.where(far[:, None, None], T_pred @ np.diag([-1.0, -1.0, 1.0, 1.0]), T_pred)


def translation_error_m(T_pred: Array, T_true: Array) -> Array:
    """Distance between object origins in metres, (n,)."""
    return np.asarray(np.linalg.norm(T_pred[:, :3, 3] - T_true[:, :3, 3], axis=1))


def project(T: Array, points: Array, K: Array) -> Array:
    """Pixels (n, 2, P) of model points (P, 3) under poses (n, 4, 4), for cameras K (n, 3, 3)."""
    rays = K @ transform(T, points)
    return np.asarray(rays[:, :2] / rays[:, 2:])


def projection_error_px(T_pred: Array, T_true: Array, points: Array, K: Array) -> Array:
    """Mean distance in pixels between projected model points, (n,); K is (n, 3, 3)."""
    blocks = []
    for i in range(0, len(T_pred), CHUNK):
        part = slice(i, i + CHUNK)
        gap = project(T_pred[part], points, K[part]) - project(T_true[part], points, K[part])
        blocks.append(np.linalg.norm(gap, axis=1).mean(1))
    return np.concatenate(blocks) if blocks else np.zeros(0)


def mssd_error(T_pred: Array, T_true: Array, points: Array, symmetries: Array) -> Array:
    """Largest distance in metres between corresponding model points, under the best symmetry, (n,).

    `symmetries` (s, 4, 4) map the object to itself, the identity among them.
    """
    padded = np.concatenate([points.T, np.ones((1, len(points)))])  # (4, P)
    best = np.full(len(T_pred), np.inf)
    for T_sym in symmetries:
        gap = (T_pred - T_true @ T_sym)[:, :3]  # (n, 3, 4): the distance of a point is |gap [x, 1]|
        blocks = [np.square(gap[i : i + CHUNK] @ padded).sum(1).max(1) for i in range(0, len(gap), CHUNK)]
        best = np.minimum(best, np.concatenate(blocks)) if blocks else best
    return np.asarray(np.sqrt(best))


def mspd_error(T_pred: Array, T_true: Array, points: Array, K: Array, symmetries: Array) -> Array:
    """Largest distance in pixels between projected model points, under the best symmetry, (n,).

    K is (n, 3, 3); `symmetries` as of `mssd_error`.
    """
    best = np.full(len(T_pred), np.inf)
    for i in range(0, len(T_pred), CHUNK):
        part = slice(i, i + CHUNK)
        predicted = project(T_pred[part], points, K[part])
        for T_sym in symmetries:
            gap = predicted - project(T_true[part] @ T_sym, points, K[part])
            best[part] = np.minimum(best[part], np.sqrt(np.square(gap).sum(1).max(1)))
    return best


def below(errors: Array, threshold: float) -> Array:
    """100 where an error lies strictly below the threshold, else 0, (n,); its mean is the accuracy.

    NaN errors are misses.
    """
    return 100.0 * (errors < threshold)


def below_degcm(angle_deg: Array, distance_m: Array, n: float) -> Array:
    """100 where the rotation error is < n degrees and the translation error < n centimetres, (n,)."""
    return 100.0 * ((angle_deg < n) & (100 * distance_m < n))


def mean_recall(errors: Array, thresholds: Array) -> Array:
    """Percentage of the thresholds that an error lies strictly below, (n,); its mean is an average recall."""
    return np.asarray(100 * np.mean(errors[:, None] < thresholds, axis=1))


def simpson_area(errors: Array, limit: float, nodes: int = 1000) -> Array:
    """Each error's share (n,) in the area under accuracy against threshold, up to a limit, over it, percent.

    The mean of the shares is the area by Simpson's rule on thresholds 0, limit / 1000, ... up to the limit,
    which is left out: the report's "ADD(-S) Mean" where the errors are fractions of the diameter and the
    limit is 0.1. It divides by the whole limit all the same, so that 99.87 is the most.
    """
    thresholds = limit * np.arange(nodes) / nodes
    weights = simpson_weights(limit, nodes)
    above = np.append(np.cumsum(weights[::-1])[::-1], 0.0)  # of each threshold and all higher ones
    return np.asarray(100 * above[np.searchsorted(thresholds, errors, side="right")] / limit)


@functools.cache
def simpson_weights(limit: float, nodes: int) -> Array:
    """What each of an even number of thresholds counts in the area, (nodes,).

    Digit for digit what scipy's `simpson` says of unit vectors; its import takes a second of every trial.
    """
    x = limit * np.arange(nodes) / nodes
    steps = np.diff(x)
    h0, h1 = steps[:-1:2], steps[1:-1:2]  # of the pairs of intervals; the last interval is left over
    both, ratio = h0 + h1, h0 / h1
    weights = np.zeros(nodes)
    weights[0:-3:2] += both / 6.0 * (2.0 - 1.0 / ratio)
    weights[1:-2:2] += both / 6.0 * (both * (both / (h0 * h1)))
    weights[2:-1:2] += both / 6.0 * (2.0 - ratio)
    before, last = steps[-2:]  # Cartwright's correction for it
    weights[-1] += (2 * last**2 + 3 * before * last) / (6 * (last + before))
    weights[-2] += (last**2 + 3.0 * before * last) / (6 * before)
    weights[-3] -= last**3 / (6 * before * (before + last))
    return weights


def exact_area(errors: Array, limit: float) -> Array:
    """As `simpson_area`, exactly: an error of e counts `1 - e / limit`, (n,); NaN counts 0."""
    return np.asarray(100 * np.nan_to_num(1 - errors / limit, nan=0.0).clip(min=0))
