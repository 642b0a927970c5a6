"""A few validation images as a trial's network sees them after every epoch, for people to look at.

They cost one pass of the network through so many crops: the poses are those that the epoch was scored by. No
random number is drawn, and a picture that fails costs the picture alone.
"""

import logging
import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from epropnp.data.dataset import Batch
from epropnp.data.schema import ObjectModel
from epropnp.errors import first_line
from epropnp.evaluation.metrics import add_error, transform
from epropnp.evaluation.predictions import Predictions
from epropnp.inference.maps import correspondences
from epropnp.inference.poses import Inference
from epropnp.training.data import TrialData
from epropnp.training.frame_files import ANIMATION, FOLDER, POSTER
from epropnp.visualization.epochs import Tile, epoch_frame, save_animation, save_frame

IMAGES = 5
MOST = 24  # frames after the first one: a frame takes as long as some updates of a GPU
TRIED = 300  # points that an error in words is a mean over

_log = logging.getLogger(__name__)


class EpochFrames:
    """Writes frames of epochs into `epochs/` of a trial's folder, and at the end an animation.

    Of a long training it leaves epochs out, evenly, but never the first and the last.

    A frame is written before its epoch's checkpoint: a trial that is killed in between makes the epoch, and
    its frame, again.

    Args:
        folder: of the trial.
        data: of the trial.
        images: number of validation images, evenly spread; 0: nothing is written.
    """

    def __init__(self, folder: Path, data: TrialData, images: int = IMAGES) -> None:
        self.folder, self.data, self.images = folder, data, images

    def add(
        self, epoch: int, inference: Inference, predictions: Predictions, scores: Mapping[str, float]
    ) -> None:
        """Draw an epoch.

        Args:
            epoch: its number; what is there of this and of later ones goes.
            inference: of the network as it was evaluated.
            predictions: of the epoch's validation images.
            scores: of these.
        """
        if not self.images:
            return
        try:
            for file in self.files():
                if int(file.stem) >= epoch:  # of a training that was begun anew
                    file.unlink()
            epochs = self.data.config.optim.epochs
            if epoch % math.ceil(max(epochs, 1) / MOST) and epoch < epochs:
                return
            score = f"validation ADD(-S) below 0.1 d: {scores['add_0.10d']:.0f} %"
            title = f"epoch {epoch} of {epochs}, {score}    (blue: true, yellow: predicted, below: weights)"
            frame = epoch_frame(title, self._tiles(inference, predictions))
            save_frame(frame, self.folder / FOLDER / f"{epoch:04d}.png")
        except Exception as error:  # training goes on without
            _log.warning("epoch %d is not drawn: %s", epoch, first_line(error))

    def animate(self) -> None:
        """Write the animation of all frames, and the last of them as a poster."""
        files = self.files() if self.images else []
        if not files:
            return
        try:
            save_animation(files, self.folder / ANIMATION)
            (self.folder / POSTER).write_bytes(files[-1].read_bytes())
        except Exception as error:
            _log.warning("the epochs are not animated: %s", first_line(error))

    def files(self) -> list[Path]:
        """Of the frames so far, by epoch."""
        return sorted((self.folder / FOLDER).glob("[0-9]*.png"))

    @cached_property
    def _chosen(self) -> tuple[list[int], Batch]:
        """Places of the images among those that an epoch is scored on, and their crops."""
        crops = self.data.epoch_images()
        spread = np.linspace(0, len(crops) - 1, min(self.images, len(crops)))
        places = [int(place) for place in spread]
        return places, crops.__getitems__([(0, place, place) for place in places])

    @torch.no_grad()
    def _tiles(self, inference: Inference, predictions: Predictions) -> list[Tile]:
        places, batch = self._chosen
        there = batch.to(inference.device)
        found = correspondences(inference.maps(there), there, inference.model)
        weights = found.weights.double().square().mean(-1).sqrt().cpu().numpy()  # (B, h*w)
        cells = inference.model.map_px
        return [
            self._tile(batch, i, predictions.T_pred[place], weights[i].reshape(cells, cells))
            for i, place in enumerate(places)
        ]

    def _tile(self, batch: Batch, i: int, T_pred: NDArray[np.float64], weights: NDArray[np.float64]) -> Tile:
        model = self.data.dataset.objects[int(batch.object_id[i])]
        scale = batch.image.shape[1] / float(batch.side[i])
        to_crop = np.diag([scale, scale, 1.0])
        to_crop[:2, 2] = -scale * batch.corner[i].numpy() - 0.5  # centres at whole numbers
        T_true = batch.T_cam_obj[i].double().numpy()
        error_m = quick_error_m(T_pred, T_true, model)
        label = f"{1000 * error_m:.0f} mm = {error_m / model.diameter_m:.2f} d"
        return Tile(
            crop=batch.image[i].numpy(),
            K_crop=to_crop @ batch.K[i].double().numpy(),
            T_pred=T_pred,
            T_true=T_true,
            weights=weights,
            model=model,
            label=label if np.isfinite(error_m) else "no pose",
        )


def quick_error_m(T_pred: NDArray[np.float64], T_true: NDArray[np.float64], model: ObjectModel) -> float:
    """ADD of one pose (4, 4), or ADI of a symmetric object, in metres, over a few of its points; else NaN."""
    if not np.isfinite(T_pred).all():
        return float("nan")
    points = model.points.astype(np.float64)
    some = points[:: max(1, len(points) // TRIED)]
    if not model.symmetric:
        return float(add_error(T_pred[None], T_true[None], some)[0])
    from scipy.spatial import cKDTree  # slow to import

    relative = np.linalg.inv(T_pred) @ T_true
    return float(cKDTree(points).query(transform(relative[None], some)[0].T)[0].mean())
