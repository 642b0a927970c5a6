"""Poses of objects in pictures by a trained network: what Python calls.

Example:

    from epropnp.prediction.pose_predictor import PosePredictor

    predictor = PosePredictor.load("runs/first/trials/a")    # or a best.pt
    poses = predictor("kitchen.png", K, [[310, 200, 96, 120]], ["cat"])
    poses[0].T_cam_obj, poses[0].covariance                  # (4, 4) metres, (6, 6)
    poses.plot("kitchen-poses.png")
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from epropnp.data.dataset import Crops
from epropnp.data.pictures import read_picture
from epropnp.errors import UserError
from epropnp.inference.crops import checked_boxes, checked_camera, checked_picture, crops_of
from epropnp.inference.device import chosen_device
from epropnp.inference.model import TrainedModel, load_model
from epropnp.inference.outline import box_overlap, outline_box
from epropnp.inference.poses import Inferred, described
from epropnp.inference.posterior import PosteriorSampler, Samples
from epropnp.models.config import own_file
from epropnp.pnp import pose
from epropnp.prediction.estimate import CREDIBLE_LEVEL, Estimate
from epropnp.prediction.pictures import overlay
from epropnp.visualization.posterior import PosteriorPicture
from epropnp.visualization.prediction import save_png

DEFAULT_SAMPLES = 512  # of each posterior: the radii of its credible region are good to a few percent

Picture = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class View:
    """One picture with the objects to look for, ready for a network.

    Attributes:
        picture: RGB, uint8 (H, W, 3).
        K: its intrinsics (3, 3).
        boxes: x, y, w, h, px, (N, 4).
        object_ids: what is in each box.
        crops: of the N boxes.
    """

    picture: Picture
    K: NDArray[np.float64]
    boxes: NDArray[np.float64]
    object_ids: list[int]
    crops: Crops


@dataclass(frozen=True, kw_only=True)
class PicturePoses(Sequence[Estimate]):
    """The estimates of the objects in one picture, in the order of the boxes."""

    view: View
    estimates: tuple[Estimate, ...]
    model: TrainedModel

    def __len__(self) -> int:
        return len(self.estimates)

    def __getitem__(self, index: Any) -> Any:
        return self.estimates[index]

    def plot(self, file: Path | str | None = None) -> Picture:
        """The whole picture with contour, axes and box of each object, RGB; written to `file` as well.

        UserError where that fails.
        """
        drawn = overlay(self.view.picture, self.view.K, self.estimates, self.model.objects)
        if file is not None:
            save_png(Path(file), drawn)
        return drawn


class PosePredictor:
    """A trained network that looks at pictures.

    Args:
        model: the network.
        hypotheses: different poses that are looked for; None: as in the network's training.
        samples: of each posterior; 0: none.

    Raises:
        UserError: more hypotheses than the random starts that they are looked for among, or fewer than one.
    """

    def __init__(
        self, model: TrainedModel, *, hypotheses: int | None = None, samples: int = DEFAULT_SAMPLES
    ) -> None:
        if hypotheses is not None:
            most = model.inference.settings.proposals
            if not 1 <= hypotheses <= most:
                raise UserError(f"hypotheses: {hypotheses} is not between 1 and {most}, the random starts")
            settings = replace(model.inference.settings, hypotheses=hypotheses)
            model = replace(model, inference=replace(model.inference, settings=settings))
        self.model = model
        self._sampler = (
            PosteriorSampler(model.inference.layer, samples, model.temperatures) if samples else None
        )

    @classmethod
    def load(cls, path: Path | str, device: str | None = None, **options: Any) -> Self:
        """Of a checkpoint such as `best.pt`, or of a trial's folder.

        Args:
            path: of it.
            device: such as 'cuda' or 'cpu'; None takes an accelerator where there is one.
            options: the keyword arguments of the class.

        Raises:
            UserError: it is missing, damaged, or does not hold what prediction needs.
        """
        return cls(load_model(own_file(str(path)), chosen_device(device)), **options)

    def __call__(
        self,
        image: Picture | Path | str,
        K: Any,
        boxes: Any,
        objects: Sequence[str | int] | str | int | None = None,
    ) -> PicturePoses:
        """Poses of the objects in one picture.

        Args:
            image: RGB, uint8 (H, W, 3), or the path of a picture. Pixels are as stored: an EXIF orientation
                turns nothing.
            K: intrinsics of this picture, pixel centres at whole numbers, (3, 3).
            boxes: x, y of the first pixel, width and height, px, (N, 4) or one (4,); of the kind that the
                network has learnt (`model.boxes`). They may reach out of the picture.
            objects: name or id of what is in each box; one for all; None where the network knows only one.

        Raises:
            UserError: what is no picture, camera or box, or an object that the network does not know.
        """
        return self.solve([self.view(image, K, boxes, objects)])[0]

    def view(
        self,
        image: Picture | Path | str,
        K: Any,
        boxes: Any,
        objects: Sequence[str | int] | str | int | None = None,
    ) -> View:
        """A picture ready for `solve`; arguments and errors as of a call."""
        picture = checked_picture(read_picture(Path(image)) if isinstance(image, str | Path) else image)
        matrix = checked_camera(K)
        places = checked_boxes(boxes, (picture.shape[1], picture.shape[0]))
        named = [objects] * len(places) if isinstance(objects, str | int) else objects
        ids = self.model.object_ids(named, len(places))
        scales = [self.model.objects[key].coord_scale for key in ids]
        crops = crops_of(picture, matrix, places, scales, self.model.inference.model.input_px)
        return View(picture=picture, K=matrix, boxes=places, object_ids=ids, crops=crops)

    @torch.no_grad()
    def solve(self, views: Sequence[View]) -> list[PicturePoses]:
        """Poses in several pictures, whose crops go through the network together."""
        if not views:
            return []
        fields = {name: torch.cat([getattr(v.crops, name) for v in views]) for name in vars(views[0].crops)}
        size = self.model.inference.settings.batch_size
        count, rows = len(fields["side"]), list[dict[str, Any]]()
        for start in range(0, count, size):
            part = Crops(**{name: value[start : start + size] for name, value in fields.items()})
            rows += self._rows(part)
        found, start = [], 0
        for view in views:
            own = rows[start : start + len(view.boxes)]
            estimates = tuple(self._estimate(view, i, row) for i, row in enumerate(own))
            found.append(PicturePoses(view=view, estimates=estimates, model=self.model))
            start += len(own)
        return found

    def infer(self, crops: Crops) -> tuple[Inferred, Samples | None]:
        """Correspondences, poses and posterior samples of crops."""
        inferred = self.model.inference(crops.to(self.model.inference.device))
        if self._sampler is None:
            return inferred, None
        return inferred, self._sampler.samples(inferred.found, inferred.solution.pose)

    def posterior_picture(self, poses: PicturePoses, index: int) -> PosteriorPicture:
        """What the network says of one object in a picture, and the posterior that follows, to be drawn.

        Its samples are those of the estimate: random numbers belong to the image.
        """
        fields, row = vars(poses.view.crops).items(), poses.estimates[index]
        crops = Crops(**{name: value[index : index + 1] for name, value in fields})
        found = self.pictured(crops, row.object_id)
        return replace(
            found, T_cam_obj=row.T_cam_obj, covariance=row.covariance, log_evidence=row.log_evidence
        )

    def pictured(self, crops: Crops, object_id: int) -> PosteriorPicture:
        """What the network says of the object in one crop, and the posterior that follows, to be drawn."""
        inferred, samples = self.infer(crops)
        assert samples is not None, "without samples there is no posterior to draw"
        config, found = self.model.inference.model, inferred.found
        scale, cells = config.input_px / float(crops.side), config.map_px
        to_crop = np.diag([scale, scale, 1.0])
        to_crop[:2, 2] = -scale * crops.corner[0].numpy() - 0.5  # centres at whole numbers
        row = {name: value[0].cpu() for name, value in described(inferred, self.model.temperatures).items()}
        return PosteriorPicture(
            crop=crops.image[0].numpy(),
            K_crop=to_crop @ crops.K[0].double().numpy(),
            coords=found.points_obj[0].T.reshape(3, cells, cells).double().cpu().numpy(),
            weights=found.weights[0].T.reshape(2, cells, cells).double().cpu().numpy(),
            samples=samples.poses[:, 0].double().cpu().numpy(),
            sample_weights=samples.weights[:, 0].double().cpu().numpy(),
            T_cam_obj=row["T_pred"].numpy(),
            covariance=row["covariance"].double().numpy(),
            log_evidence=float(samples.log_evidence[0]),
            model=self.model.objects[object_id],
        )

    def _rows(self, crops: Crops) -> list[dict[str, Any]]:
        """Of each crop the numbers by name, on the CPU."""
        inferred, samples = self.infer(crops)
        named = described(inferred, self.model.temperatures)
        if samples is not None:
            named |= _spread(samples, inferred.solution.pose)
        arrays = {name: value.cpu().numpy() for name, value in named.items()}
        return [{name: value[i] for name, value in arrays.items()} for i in range(len(crops.side))]

    def _estimate(self, view: View, index: int, row: dict[str, Any]) -> Estimate:
        key, T = view.object_ids[index], row["T_pred"]
        model, box = self.model.objects[key], view.boxes[index]
        found = outline_box(model, T, view.K) if row["valid"] else None
        return Estimate(
            object_id=key,
            object=model.name,
            box=box,
            T_cam_obj=T,
            covariance=row["covariance"].astype(np.float64),
            T_hypotheses=row.get("T_hypotheses", T[None]),
            probability=row.get("probability", np.ones(1)).astype(np.float64),
            radius_m=float(row.get("radius_m", np.nan)),
            radius_deg=float(row.get("radius_deg", np.nan)),
            log_evidence=float(row.get("log_evidence", np.nan)),
            effective_samples=float(row.get("effective_samples", np.nan)),
            cost=float(row["cost"]),
            valid=bool(row["valid"]),
            overlap=0.0 if found is None else box_overlap(box, found),
            equal_poses=len(model.symmetries),
        )


def _spread(samples: Samples, mode: torch.Tensor) -> dict[str, torch.Tensor]:
    """What samples of B posteriors say, (B,) each."""
    distance = (samples.poses[..., :3] - mode[..., :3]).norm(dim=-1)  # (S, B)
    angle = pose.rotation_angle(samples.poses[..., 3:], mode[..., 3:]).rad2deg()
    return {
        "radius_m": _radius(distance, samples.weights),
        "radius_deg": _radius(angle, samples.weights),
        "log_evidence": samples.log_evidence,
        "effective_samples": samples.effective_samples,
    }


def _radius(distance: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The radius (B,) within which the credible share of the weights (S, B) lies."""
    ordered, order = distance.sort(0)
    share = weights.gather(0, order).cumsum(0)
    index = (share < CREDIBLE_LEVEL).sum(0).clamp(max=len(ordered) - 1)
    return ordered.gather(0, index[None])[0]
