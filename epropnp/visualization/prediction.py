"""A contact sheet of predicted poses: test crops with the true box in green and the predicted one in red.

`python -m epropnp.visualization.prediction PREDICTIONS DATASET OUT.png` draws it from a trial's files.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro

from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import ObjectModel, Record
from epropnp.errors import UserError
from epropnp.evaluation.error_file import errors_beside
from epropnp.evaluation.pose_errors import PoseErrors
from epropnp.evaluation.predictions import Predictions

TRUE_RGB, PREDICTED_RGB = (60, 220, 60), (255, 70, 50)
TILE_PX = 224
EDGES = [(i, i ^ bit) for i in range(8) for bit in (1, 2, 4) if not i & bit]


def draw_box(
    image: np.ndarray, K: np.ndarray, T_cam_obj: np.ndarray, model: ObjectModel, colour: tuple[int, int, int]
) -> None:
    """Draw the object's bounding box under a pose, in place.

    Args:
        image: RGB, uint8 (H, W, 3).
        K: intrinsics of this image (3, 3).
        T_cam_obj: (4, 4), metres.
        model: gives the box's bounds.
        colour: RGB.
    """
    bounds = np.stack([model.bounds_min, model.bounds_max])
    corners = np.array([[bounds[i >> axis & 1, axis] for axis in range(3)] for i in range(8)])
    rays = (corners @ T_cam_obj[:3, :3].T + T_cam_obj[:3, 3]) @ K.T
    if not np.isfinite(rays).all() or (rays[:, 2] <= 0).any():
        return
    pixels = np.rint(16 * (rays[:, :2] / rays[:, 2:]).clip(-2000, 2000)).astype(int)
    for a, b in EDGES:
        cv2.line(image, pixels[a].tolist(), pixels[b].tolist(), colour, 1, cv2.LINE_AA, shift=4)


def prediction_tile(record: Record, T_pred: np.ndarray, model: ObjectModel, error_d: float) -> np.ndarray:
    """One crop with both boxes and the error in fractions of the diameter, (224, 224, 3) RGB."""
    side = record.rgb.shape[0]
    scale = TILE_PX / side
    tile = cv2.resize(record.rgb, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
    to_tile = np.diag([scale, scale, 1.0])
    to_tile[:2, 2] = -scale * record.crop_origin + (scale - 1) / 2
    K = to_tile @ record.K
    draw_box(tile, K, record.T_cam_obj, model, TRUE_RGB)
    draw_box(tile, K, T_pred, model, PREDICTED_RGB)
    label = f"{error_d:.3f} d"
    cv2.rectangle(tile, (0, 0), (62, 20), (0, 0, 0), cv2.FILLED)
    cv2.putText(tile, label, (6, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def prediction_sheet(
    predictions: Predictions, errors: PoseErrors, dataset: ArrowDataset, *, rows: int = 3, columns: int = 6
) -> np.ndarray:
    """Evenly spaced test images with true and predicted boxes, RGB uint8.

    Each tells its ADD, of symmetric objects its ADI: a pose that looks the same is right.
    """
    split = dataset.split("test")
    relative = errors.add_m / errors.diameter_m
    chosen = np.linspace(0, len(split) - 1, rows * columns).astype(int)
    tiles = []
    for i in chosen:
        record = split[int(i)]
        if predictions.sample_id[i] != record.sample_id:
            raise UserError(f"the predictions are not of the test split of {dataset.path}")
        model = dataset.objects[record.object_id]
        tiles.append(prediction_tile(record, predictions.T_pred[i], model, float(relative[i])))
    grid = [np.concatenate(tiles[r * columns : (r + 1) * columns], 1) for r in range(rows)]
    return np.concatenate(grid)


def save_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image. UserError where that fails."""
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise UserError(f"cannot write {path}")


@dataclass(frozen=True)
class Arguments:
    """Draw a contact sheet of predicted poses."""

    predictions: tyro.conf.Positional[Path]  # predictions.parquet of a trial
    dataset: tyro.conf.Positional[Path]  # folder of the dataset it was tested on
    out: tyro.conf.Positional[Path]  # PNG to write


def main() -> int:
    """Command line."""
    arguments = tyro.cli(Arguments)
    try:
        predictions, dataset = Predictions.read(arguments.predictions), ArrowDataset(arguments.dataset)
        errors = errors_beside(predictions, dataset.objects, arguments.predictions)
        save_png(arguments.out, prediction_sheet(predictions, errors, dataset))
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
