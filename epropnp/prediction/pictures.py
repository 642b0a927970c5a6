"""Pictures of estimates: the whole picture with contour, axes and boxes, and one posterior in full."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from epropnp.visualization.overlay import draw_prediction
from epropnp.visualization.posterior import PosteriorPicture

if TYPE_CHECKING:
    from epropnp.prediction.pose_predictor import PicturePoses, PosePredictor, View


def overlay(poses: "PicturePoses") -> NDArray[np.uint8]:
    """The picture (H, W, 3) with contour, axes and box of each object."""
    drawn, placed = poses.view.picture.copy(), list[tuple[float, float, float, float]]()
    for each in poses:
        model = poses.model.objects[each.object_id]
        draw_prediction(drawn, poses.view.K, each.T_cam_obj, model, box=each.box, placed=placed)
    return drawn


def posterior_picture(predictor: "PosePredictor", view: "View", index: int) -> PosteriorPicture:
    """What the network says of one object of a view, and the posterior that follows.

    Its samples are those of the estimate: random numbers belong to the image.
    """
    crops = type(view.crops)(**{name: value[index : index + 1] for name, value in vars(view.crops).items()})
    inferred, samples = predictor.infer(crops)
    assert samples is not None, "without samples there is no posterior to draw"
    config, found = predictor.model.inference.model, inferred.found
    side, cells = float(crops.side), config.map_px
    to_crop = np.diag([config.input_px / side, config.input_px / side, 1.0])
    to_crop[:2, 2] = -(crops.corner[0].numpy() + 0.5 * side / config.input_px) * config.input_px / side
    row = predictor.solve([view])[0][index]
    return PosteriorPicture(
        crop=crops.image[0].numpy(),
        K_crop=to_crop @ crops.K[0].double().numpy(),
        coords=found.points_obj[0].T.reshape(3, cells, cells).double().cpu().numpy(),
        weights=found.weights[0].T.reshape(2, cells, cells).double().cpu().numpy(),
        samples=samples.poses[:, 0].double().cpu().numpy(),
        sample_weights=samples.weights[:, 0].double().cpu().numpy(),
        T_cam_obj=row.T_cam_obj,
        covariance=row.covariance,
        log_evidence=row.log_evidence,
        model=predictor.model.objects[row.object_id],
    )
