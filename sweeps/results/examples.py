"""Test images that tell the settings of a sweep apart, and what each setting's network says of them.

The best, the median and the worst image of the best setting, and images that flip: right there and wrong in
as many others as there are, or the reverse. One trial stands for a setting: of the smallest seed whose
network is kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from epropnp.data.crop import Crop, warp_rgba
from epropnp.data.dataset import Crops
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import ObjectModel, Record
from epropnp.errors import UserError
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.predictions import Predictions
from epropnp.models.config import BEST
from epropnp.prediction.pose_predictor import PosePredictor
from epropnp.visualization.examples import Example, ExampleRow, save_example
from epropnp.visualization.posterior import PosteriorPicture
from sweeps.results.columns import Row
from sweeps.results.pictures import read_predictions
from sweeps.results.summary import SELECTION, Summary
from sweeps.results.tested import ImageScores

MOST = 6  # settings that are drawn
RIGHT_D = 0.1  # of the diameter: an error below counts as right
SHOWN_PX = 224  # of the crop: as fine as the dataset has it, not as coarse as a network sees it
SAMPLES = 512  # of each posterior
KINDS = {  # by file
    "best": "The best image of",
    "median": "The median image of",
    "worst": "The worst image of",
    "right-here": "Right in",
    "wrong-here": "Wrong in",
}


@dataclass(frozen=True, kw_only=True)
class Stand:
    """The trial that stands for a setting.

    Attributes:
        label: of the setting.
        row: of the trial.
        folder: of the trial.
        images: what it did on each test image.
    """

    label: str
    row: Row
    folder: Path
    images: ImageScores

    @property
    def relative(self) -> Array:
        """Errors in diameters (n,); infinite where there is no pose."""
        errors = self.images.errors
        return np.asarray(np.nan_to_num(errors.add_m / errors.diameter_m, nan=np.inf))


def save_examples(
    folder_of: Callable[[str], Path],
    summary: Summary,
    images: Callable[[Row], ImageScores],
    datasets: Mapping[str, ArrowDataset],
    folder: Path,
) -> None:
    """Draw the chosen images into a folder, one file each; what is there of an earlier choice goes.

    Args:
        folder_of: tells the folder of a trial of that name.
        summary: its settings, compared.
        images: tells of a trial what it did on each test image.
        datasets: by id.
        folder: to fill.

    Raises:
        UserError: no network is kept, or files cannot be read or written.
    """
    stands = standing(folder_of, summary, images)
    drawn = stands[:MOST]
    if not any((stand.folder / BEST).is_file() for stand in drawn):
        raise UserError(f"no {BEST} of the best {len(drawn)} settings is kept (see --keep)")
    chosen = choose(np.stack([stand.relative for stand in stands]))
    rows = [_rows(stand, datasets[stand.row.dataset_id], list(chosen.values())) for stand in drawn]
    split = datasets[stands[0].row.dataset_id].split("test")
    for file in folder.glob("*.png"):
        file.unlink()
    for place, (kind, image) in enumerate(chosen.items()):
        first = stands[0].images
        record = split[image]
        model = datasets[stands[0].row.dataset_id].objects[record.object_id]
        left_out = len(stands) - len(drawn)
        example = Example(
            title=_title(kind, image, stands, summary.ranked[SELECTION].tied),
            subtitle=f"{model.name}, {record.sample_id};  right: {_metric(model)} below {RIGHT_D:g} d = "
            f"{1000 * RIGHT_D * model.diameter_m:.1f} mm",
            rows=[each[place] for each in rows],
            T_true=first.T_true[image],
            note=f"{left_out} more settings, which rank below, are not drawn" if left_out else "",
        )
        save_example(example, folder / f"{kind}.png")


def standing(
    folder_of: Callable[[str], Path], summary: Summary, images: Callable[[Row], ImageScores]
) -> list[Stand]:
    """The trials that stand for the settings, the best one first."""
    found = []
    for compared in summary.ranked[SELECTION].settings:
        group = sorted(summary.settings[compared.name], key=lambda row: row.config.seed)
        kept = [row for row in group if (folder_of(row.name) / BEST).is_file()]
        row = (kept or group)[0]
        folder = folder_of(row.name)
        found.append(Stand(label=compared.name, row=row, folder=folder, images=images(row)))
    return found


def choose(relative: Array) -> dict[str, int]:
    """Images by kind, from errors in diameters (settings, images), the best setting first.

    Of images that flip alike, that of which the errors are farthest apart. A kind of which there is none, or
    which has been chosen as another one, is left out.
    """
    best, others = relative[0], relative[1:]
    order = np.argsort(best, kind="stable").tolist()
    chosen = {"best": order[0], "median": order[(len(order) - 1) // 2], "worst": order[-1]}
    chosen = {kind: i for kind, i in chosen.items() if i not in [*chosen.values()][: [*chosen].index(kind)]}
    if not len(others):
        return chosen
    right, others_right = best < RIGHT_D, (others < RIGHT_D).sum(axis=0)
    gap = np.abs(np.minimum(np.median(others, axis=0), 1.0) - np.minimum(best, 1.0))
    kinds = {
        "right-here": (right & (others_right < len(others)), -others_right),
        "wrong-here": (~right & (others_right > 0), others_right),
    }
    for kind, (flips, rank) in kinds.items():
        places = [i for i in np.flatnonzero(flips).tolist() if i not in chosen.values()]
        if places:
            chosen[kind] = max(places, key=lambda i: (rank[i], gap[i]))
    return chosen


def _title(kind: str, image: int, stands: Sequence[Stand], tied: bool) -> str:
    rank = f"first of {len(stands)} equal settings" if tied else "the best setting"
    title = f"{KINDS[kind]} {stands[0].label}, {rank}"
    if not kind.endswith("-here"):
        return title
    right = sum(bool(stand.relative[image] < RIGHT_D) for stand in stands[1:])
    return f"{title}; right in {right} of {len(stands) - 1} others"


def _metric(model: ObjectModel) -> str:
    return "ADI" if model.symmetric else "ADD"


def _rows(stand: Stand, dataset: ArrowDataset, chosen: Sequence[int]) -> list[ExampleRow]:
    """What a setting's network says of each chosen image."""
    file, split = stand.folder / BEST, dataset.split("test")
    predictions = read_predictions(stand.folder)
    predictor = PosePredictor.load(file, "cpu", samples=SAMPLES) if file.is_file() else None
    found = []
    for image in chosen:
        record = split[image]
        if predictions.sample_id[image] != record.sample_id:
            raise UserError(f"the predictions of {stand.row.name} are not of {dataset.path}")
        picture, reason = None, f"its {BEST} is not kept: no maps and no posterior to draw"
        if predictor is not None:
            picture, reason = _picture(predictor, record, predictions, image), "it finds no pose here"
        model = dataset.objects[record.object_id]
        error_m, relative = stand.images.errors.add_m[image], float(stand.relative[image])
        words = f"{_metric(model)} {1000 * error_m:.1f} mm = {relative:.3f} d"
        found.append(
            ExampleRow(
                label=f"{stand.label}  (seed {stand.row.config.seed})",
                verdict=words if np.isfinite(error_m) else "no pose",
                right=relative < RIGHT_D,
                picture=picture,
                reason=reason,
            )
        )
    return found


def _picture(
    predictor: PosePredictor, record: Record, predictions: Predictions, image: int
) -> PosteriorPicture | None:
    """Maps and posterior beside the pose that was scored, on a crop as fine as the dataset has it."""
    T_pred, covariance = predictions.T_pred[image], predictions.covariance[image]
    if not (np.isfinite(T_pred).all() and np.isfinite(covariance).all()):
        return None
    corner, side = predictions.crop[image, :2], float(predictions.crop[image, 2])
    crop = Crop(centre=corner + side / 2, side=side)
    model = predictor.model
    crops = Crops(
        image=torch.from_numpy(_pixels(record, crop, model.inference.model.input_px))[None],
        K=torch.tensor(record.K).float()[None],
        corner=torch.from_numpy(corner).float()[None],
        side=torch.tensor([side]),
        coord_scale=torch.from_numpy(model.objects[record.object_id].coord_scale).float()[None],
    )
    found = predictor.pictured(crops, record.object_id)
    if not np.isfinite(found.samples).all():
        return None
    to_crop = np.eye(3)
    to_crop[:2] = crop.to_cells(SHOWN_PX)
    return replace(
        found,
        crop=_pixels(record, crop, SHOWN_PX),
        K_crop=to_crop @ record.K,
        T_cam_obj=T_pred,
        covariance=covariance,
    )


def _pixels(record: Record, crop: Crop, cells: int) -> np.ndarray:
    return np.ascontiguousarray(warp_rgba(record, crop, cells)[..., :3])
