"""The correspondence network: image crop -> object coordinates, weight maps and global scales.

Follows section 2 of the study's protocol: five output maps at stride 4, a 1x1 convolution on the head's last
feature, and two global log-scales, a linear layer on the same feature pooled. `weights_from_maps` holds the
two published weight normalisations.
"""

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.models.backbones import Backbone, feature_levels
from epropnp.models.config import ModelConfig, WeightNorm
from epropnp.models.heads import head_class, plan_strides
from epropnp.models.own_weights import load_own
from epropnp.models.released import load_released

OUTPUT_CHANNELS = 5  # three object coordinates and two weight maps


@dataclass(frozen=True)
class Prediction:
    """What the network says about a batch of crops.

    Attributes:
        coords: normalised object coordinates, (B, 3, h, w).
        weight_logits: unnormalised weight maps, one per image axis, (B, 2, h, w).
        log_scale: global log-scale per image axis, (B, 2).
    """

    coords: Tensor
    weight_logits: Tensor
    log_scale: Tensor


class CorrespondenceNet(nn.Module):
    """Backbone, head, and the two readouts of the head's last feature.

    Raises:
        UserError: an unknown backbone or head, a pair of them that does not fit, weights that cannot be had,
            or released ones that were trained with another `cell_anchor`.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        available = [level.stride for level in feature_levels(config.backbone, config.input_px)]
        strides = plan_strides(config.head, config.backbone, available, config.deconv_stride)
        self.backbone = Backbone(
            config.backbone,
            strides=strides,
            input_px=config.input_px,
            pretrained=config.pretrained
            and config.released is None
            and config.start is None,  # which hold it
            weights_file=config.weights_file,
            drop_path=config.drop_path,
            swin_window=config.swin_window,
        )
        channels = [level.channels for level in self.backbone.levels]
        self.head = head_class(config.head)(channels, strides, config.head_width)
        self.output = nn.Conv2d(self.head.channels, OUTPUT_CHANNELS, 1)
        self.scale = nn.Linear(self.head.channels, 2)
        self._initialise(config.weight_norm)
        self.released = None if config.released is None else load_released(self, config.released)
        if self.released is not None and self.released.cell_anchor not in (None, config.cell_anchor):
            wanted = f"{self.released.cell_anchor:g}"
            raise UserError(
                f"{config.released}: this network was trained with image points at {wanted} of a cell, and "
                f"model.cell_anchor is {config.cell_anchor:g}: half of its accuracy would be lost; set "
                f"model.cell_anchor={wanted}"
            )

        if config.start is not None:
            load_own(self, config.start)

    def forward(self, image: Tensor) -> Prediction:
        """Predict from an RGB image (B, 3, H, W) in [0, 1]; the results are float32, under autocast, too."""
        feature = self.head(self.backbone(image))  # (B, C, H/4, W/4)
        # Read out in float32: three digits are too few for a scale's logarithm, or a point of an object.
        # Autocast does not know the meta device, on which trials are planned.
        with nullcontext() if image.is_meta else torch.autocast(image.device.type, enabled=False):
            feature = feature.float()
            maps = self.output(feature)  # (B, 5, H/4, W/4)
            log_scale = self.scale(feature.mean((2, 3)))  # (B, 2)
        return Prediction(maps[:, :3], maps[:, 3:], log_scale)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """As of any module. UserError, in a line, for the weights of another network."""
        try:
            return super().load_state_dict(state_dict, strict, assign)
        except RuntimeError as error:
            own = self.state_dict()
            apart = sorted(own.keys() ^ state_dict.keys()) or ["the shape of a tensor"]
            raise UserError(
                f"these weights are of another network ({apart[0]} and {len(apart) - 1} more differ): they "
                "were saved with other settings, or by a version with other networks (transformers end in a "
                "norm now); train again"
            ) from error

    def _initialise(self, weight_norm: WeightNorm) -> None:
        """v1b: small normal weights, as CDPN. v2: Kaiming, zero weight maps, scales exp(3)."""
        for module in (*self.head.modules(), self.output):
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                if weight_norm == "v1b":
                    nn.init.normal_(module.weight, std=1e-3)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        if weight_norm == "v1b":
            nn.init.normal_(self.scale.weight, std=1e-3)
            nn.init.zeros_(self.scale.bias)
            return
        nn.init.normal_(self.output.weight, std=1e-3)
        nn.init.zeros_(self.output.weight[3:].data)
        nn.init.zeros_(self.scale.weight)
        nn.init.constant_(self.scale.bias, 3.0)


def weights_from_maps(
    logits: Tensor, log_scale: Tensor, crop_side_px: Tensor, map_px: int, weight_norm: WeightNorm
) -> Tensor:
    """Weights of the N correspondences that were chosen from the maps.

    v1b: `exp(m - mean(m) - log N) exp(scale)`; v2: `softmax(m) exp(scale) / (crop side / map side)`.

    Args:
        logits: weight maps at the N points, (B, N, 2).
        log_scale: (B, 2).
        crop_side_px: side of each crop in image pixels, (B,).
        map_px: side of the output maps.
        weight_norm: which of the two.

    Returns:
        weights, 1/px, (B, N, 2).
    """
    if weight_norm == "v1b":
        centred = logits - logits.mean(1, keepdim=True) - math.log(logits.shape[1])
        return (centred + log_scale[:, None]).exp()
    px_per_cell = (crop_side_px / map_px)[:, None, None]
    return torch.softmax(logits, 1) * log_scale.exp()[:, None] / px_per_cell
