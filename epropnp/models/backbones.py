"""Backbones: any timm model with `features_only`, its width and stride read from `feature_info`.

The high-resolution stream of HRNet is taken raw (`feature_location=''`), as in the study; other families
give the stage of the stride asked for. Models that emit NHWC (Swin) are turned to NCHW here, once.
"""

import fnmatch
import functools
from typing import Any

import timm
import torch
from timm.models import register_model
from torch import Tensor, nn

from epropnp.errors import UserError, nearest
from epropnp.models.pretrained import create_pretrained


@register_model
def swin_nano_patch4_window8(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """A 2.3 M-parameter Swin for small inputs: patch 4, dim 32, depths 2-2-2-2, heads 1-2-4-8, window 8."""
    if pretrained:
        raise UserError("swin_nano_patch4_window8 has no pretrained weights; train it from scratch")
    nano: dict[str, Any] = {
        "embed_dim": 32,
        "depths": (2, 2, 2, 2),
        "num_heads": (1, 2, 4, 8),
        "window_size": 8,
        "drop_path_rate": 0.0,
    }
    return timm.create_model("swin_tiny_patch4_window7_224", **{**nano, **kwargs})


@functools.cache
def _all_names() -> tuple[str, ...]:
    return tuple(timm.list_models())


def list_backbones(pattern: str = "*") -> list[str]:
    """Names of the timm models that match a wildcard, such as `conv*`."""
    return fnmatch.filter(_all_names(), pattern)


def check_backbone(name: str) -> None:
    """Raise a UserError that names the nearest backbone if `name` is not one."""
    if name not in _all_names():
        raise UserError(f"unknown backbone '{name}'{nearest(name, _all_names())}")


class Backbone(nn.Module):
    """One feature map of one timm model.

    Args:
        name: timm model name.
        stride: stride of the feature map wanted; 4 is HRNet's raw high-resolution stream.
        input_px: side of the square input; given to models that need to know it (Swin).
        pretrained: load ImageNet weights, or stop.
        weights_file: where they are, if not in a package or on timm's hub.

    Attributes:
        channels: width of the feature map, from `feature_info`.
        stride: its stride, from `feature_info`.
        mean, std: input statistics that the model was made for, RGB in [0, 1].

    Raises:
        UserError: unknown name, no feature map of that stride, or weights that cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        *,
        stride: int,
        input_px: int,
        pretrained: bool = False,
        weights_file: str | None = None,
    ) -> None:
        super().__init__()
        check_backbone(name)
        kwargs = {"features_only": True} | _family_arguments(name, input_px)
        index = _feature_index(name, stride, kwargs)
        kwargs["out_indices"] = (index,)
        self.net: nn.Module = (
            create_pretrained(name, weights_file, **kwargs)
            if pretrained
            else timm.create_model(name, **kwargs)
        )
        info: Any = self.net.feature_info
        self.channels = int(info.channels()[-1])
        self.stride = int(info.reduction()[-1])
        self._nhwc = str(getattr(self.net, "output_fmt", "NCHW")).endswith("NHWC")
        cfg = timm.get_pretrained_cfg(name)
        mean, std = (cfg.mean, cfg.std) if cfg else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Map an RGB image (B, 3, H, W) in [0, 1] to features (B, channels, H/stride, W/stride)."""
        feature: Tensor = self.net((image - self.mean) / self.std)[-1]
        return feature.permute(0, 3, 1, 2).contiguous() if self._nhwc else feature


def _family_arguments(name: str, input_px: int) -> dict[str, Any]:
    if name.startswith("hrnet"):
        return {"feature_location": ""}
    cfg = timm.get_pretrained_cfg(name)
    return {"img_size": input_px} if cfg is None or cfg.fixed_input_size else {}


def _feature_index(name: str, stride: int, kwargs: dict[str, Any]) -> int:
    """Index of the last feature map of that stride."""
    with torch.device("meta"):
        info: Any = timm.create_model(name, **kwargs).feature_info
    strides = list(info.reduction())
    if stride not in strides:
        listed = ", ".join(map(str, strides))
        raise UserError(f"backbone '{name}' has no feature map of stride {stride}; it has strides {listed}")
    return len(strides) - 1 - strides[::-1].index(stride)
