"""How far the points of a surface are apart."""

import numpy as np

NEIGHBOURS = 6  # of a vertex in a mesh of triangles
TRIED = 2000  # points whose neighbours say it
QUANTILE = 0.95  # of the distances to the farthest of these neighbours


def spacing_m(points: np.ndarray) -> float:
    """Distance between neighbours, of points (P, 3) in metres, where they are sparse; 0 of a single one."""
    from scipy.spatial import cKDTree  # slow to import

    if len(points) < 2:
        return 0.0
    tried = points[np.linspace(0, len(points) - 1, min(len(points), TRIED)).astype(int)]
    distances, _ = cKDTree(points).query(tried, k=min(NEIGHBOURS, len(points) - 1) + 1)
    return float(np.quantile(distances[:, -1], QUANTILE))
