"""What is made to fit of timm's families, each in its own way: last norms, windows, depth, unused layers."""

import functools
from typing import Any

import timm
import torch
from timm.layers import DropPath
from timm.models import register_model
from timm.models._features import FeatureGetterNet
from timm.models.efficientnet import EfficientNetFeatures
from timm.models.hrnet import HighResolutionNetFeatures
from timm.models.mobilenetv3 import MobileNetV3Features
from torch import nn

from epropnp.errors import UserError

_SWIN = "swin_"
NO_DEPTH = "backbone '{}' has no stochastic depth: leave model.drop_path out"


class NormedFeatures(FeatureGetterNet):
    """Feature maps of a transformer, the deepest behind its final norm."""

    def __init__(self, model: nn.Module, **kwargs: Any) -> None:
        super().__init__(model, norm=True, **kwargs)


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
def ends_in_norm(name: str) -> bool:
    """Whether a model is a transformer whose features its classifier sees behind one LayerNorm."""
    with torch.device("meta"):
        net = timm.create_model(name)
    return isinstance(getattr(net, "norm", None), nn.LayerNorm) and hasattr(net, "forward_intermediates")


def checked_window(name: str, window: int) -> int:
    if not name.startswith(_SWIN):
        raise UserError(f"model.swin_window is for {_SWIN}... and not for '{name}'; leave it out")
    return window


def set_drop_path(net: nn.Module, name: str, rate: float | None) -> None:
    """Take stochastic depth out of a network where none is wanted; UserError where it has none to give."""
    layers = [module for module in net.modules() if isinstance(module, DropPath)]
    if rate and not layers:
        raise UserError(NO_DEPTH.format(name))
    if rate == 0:
        for layer in layers:
            layer.drop_prob = 0.0


def cut_unused(net: nn.Module) -> None:
    """Take out what timm keeps although no feature map asked for depends on it."""
    if isinstance(net, HighResolutionNetFeatures):
        info: Any = net.feature_info
        used = {place - 1 for place in info.out_indices}  # place 0 is the stem
        rows = net.stage4[-1].fuse_layers  # one per stream; without parameters it gives what it is given
        for row in set(range(len(rows))) - used:
            rows[row] = nn.ModuleList([nn.Identity()])
    elif isinstance(net, EfficientNetFeatures | MobileNetV3Features):
        net.blocks = net.blocks[: max(net._stage_out_idx)]
