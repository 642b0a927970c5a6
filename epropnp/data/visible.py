"""How much of an object an image shows."""

from collections.abc import Iterable

import cv2
import numpy as np

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import ObjectModel, Record

CELLS = 32  # along the longer side of a silhouette
POINTS = 5000  # of a model, at most


def visible_share(record: Record, model: ObjectModel) -> float:
    """What of an object's silhouette its visible mask holds, 0 to 1; outside of the image nothing is visible.

    The silhouette is that of the model's points, cell by cell, in each of which all points count alike: close
    to BOP's `visib_fract` where a model has points enough. Of pictures without masks the whole object within
    the visible box counts as visible.

    Args:
        record: its mask is of pixels whose centres lie at whole numbers.
        model: of its object.
    """
    points = model.points[:: -(-len(model.points) // POINTS)].astype(np.float64)
    rays = (points @ record.T_cam_obj[:3, :3].T + record.T_cam_obj[:3, 3]) @ record.K.T
    pixels = rays[:, :2] / rays[:, 2:]
    side = max(float(np.ptp(pixels, axis=0).max()), 1.0)
    column, row = np.floor((CELLS - 1) * (pixels - pixels.min(0)) / side).astype(int).T
    # A point on the silhouette's edge may be rounded to the pixel beside it.
    mask = cv2.dilate(np.pad(record.mask, 1), np.ones((3, 3), np.uint8)) > 0
    x, y = (np.rint(pixels - record.map_origin).astype(int) + 1).T
    inside = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    seen = inside & mask[y.clip(0, mask.shape[0] - 1), x.clip(0, mask.shape[1] - 1)]
    cell = row * CELLS + column
    count = np.bincount(cell)
    return float((np.bincount(cell, weights=seen)[count > 0] / count[count > 0]).mean())


def visible_shares(datasets: Iterable[ArrowDataset]) -> dict[str, float]:
    """By sample id, `visible_share` of all test images."""
    return {
        record.sample_id: visible_share(record, dataset.objects[record.object_id])
        for dataset in datasets
        for record in dataset.split("test")
    }
