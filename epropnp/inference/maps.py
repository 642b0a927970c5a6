"""From the maps of a network to the correspondences that the pose layer takes."""

import torch
from torch import Tensor

from epropnp.data.dataset import Crops
from epropnp.models.config import ModelConfig
from epropnp.models.network import Prediction, weights_from_maps
from epropnp.pnp import Camera, Correspondences

CLAMP_CELLS = 30  # projections are clamped to the crop, extended by this many output-map cells


def correspondences(
    prediction: Prediction, crops: Crops, config: ModelConfig, chosen: Tensor | None = None
) -> Correspondences:
    """Gather the chosen cells of the maps; all of them if `chosen` (B, N) is not given."""
    coords = prediction.coords.flatten(2).transpose(1, 2)  # (B, h*w, 3)
    logits = prediction.weight_logits.flatten(2).transpose(1, 2)  # (B, h*w, 2)
    points_img = crops.points_img(prediction.coords.shape[-1], config.cell_anchor)  # (B, h*w, 2)
    if chosen is not None:
        index = chosen[..., None]
        coords = coords.gather(1, index.expand(-1, -1, 3))
        logits = logits.gather(1, index.expand(-1, -1, 2))
        points_img = points_img.gather(1, index.expand(-1, -1, 2))
    weights = weights_from_maps(logits, prediction.log_scale, crops.side, config.map_px, config.weight_norm)
    margin = CLAMP_CELLS * crops.side[:, None] / config.map_px  # (B, 1)
    camera = Camera(crops.K, crops.corner - margin, crops.corner + crops.side[:, None] + margin)
    return Correspondences(
        points_obj=coords * crops.coord_scale[:, None], points_img=points_img, weights=weights, camera=camera
    )


def random_cells(prediction: Prediction, points: int, generator: torch.Generator) -> Tensor:
    """`points` different cells of each object's maps, (B, points)."""
    objects, _, rows, columns = prediction.coords.shape
    keys = torch.rand(objects, rows * columns, generator=generator, device=prediction.coords.device)
    return keys.topk(min(points, rows * columns), dim=1, sorted=False).indices
