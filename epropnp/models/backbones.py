"""Backbones: any timm model with `features_only`; widths and strides are read from its `feature_info`.

A backbone yields the feature maps of the strides asked for and holds nothing behind them, so that every
parameter is trained. HRNet's streams are taken raw (`feature_location=''`), as in the study. Models that
emit NHWC are turned to NCHW here, once. Transformers end in the LayerNorm of their classifier, as the study's
Swin does: without it a head would see the residual stream as it is. A transformer of patch 14 sees the crop
scaled by 14/16: its features then lie on the crop's stride-16 grid, and heads know powers of two only.

Swin pads windows that do not tile a map: the study's code first and then shifts, timm's the other way round,
so that at 256 px windows of 7 see other neighbours at two borders. Windows of 8 need no padding.
"""

import fnmatch
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import timm
import torch
from timm.models import get_arch_pretrained_cfgs
from torch import Tensor, nn
from torch.nn import functional as F

from epropnp.errors import UserError, nearest
from epropnp.models.depthwise import keep_depthwise_exact
from epropnp.models.families import (
    NO_DEPTH,
    NormedFeatures,
    checked_window,
    cut_unused,
    ends_in_norm,
    set_drop_path,
)
from epropnp.models.names import architecture, plain_name, tag_of
from epropnp.models.pretrained import create_pretrained, one_line

# What timm raises for a model without feature maps, or one that cannot take the size.
BROKEN = (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError)


class FeatureLevel(NamedTuple):
    """A feature map that a backbone can give.

    Attributes:
        place: in timm's list of features.
        channels: its width.
        stride: pixels of the crop per cell, a power of two.
        patch: pixels of the model's own input per cell; differs from `stride` where the crop is rescaled.
    """

    place: int
    channels: int
    stride: int
    patch: int


@functools.cache
def _all_names() -> tuple[str, ...]:
    return tuple(timm.list_models())


def list_backbones(pattern: str = "*") -> list[str]:
    """Names of the timm models that match a wildcard, such as `conv*`; with tags for one that has a dot."""
    if "." in pattern:
        return fnmatch.filter(timm.list_pretrained(), plain_name(pattern))
    return fnmatch.filter(_all_names(), plain_name(pattern))


def check_backbone(name: str) -> None:
    """Raise a UserError that names the nearest backbone, or tag of its weights, if `name` is none."""
    base, tag = architecture(name), tag_of(name)
    if base not in _all_names():
        raise UserError(f"unknown backbone '{name}'{nearest(base, _all_names())}")
    tags = weight_tags(base)
    if tag and tag not in tags:
        known = ", ".join(tags) or "none"
        raise UserError(f"backbone '{base}' has no weights '{tag}'{nearest(tag, tags)}; it has {known}")


def weight_tags(name: str) -> list[str]:
    """Tags of the weights that timm has for an architecture, its default first."""
    return [tag for each in get_arch_pretrained_cfgs(architecture(name)) if (tag := tag_of(each))]


def weights_tag(name: str) -> str:
    """The tag of the weights that a name stands for: its own, else timm's default; empty without any."""
    config = timm.get_pretrained_cfg(name)
    return tag_of(name) or (config.tag or "" if config is not None else "")


@functools.cache
def feature_levels(name: str, input_px: int) -> tuple[FeatureLevel, ...]:
    """The deepest feature map of each stride, finest first; nothing is allocated.

    Raises:
        UserError: an unknown name, or a model that gives no feature maps.
    """
    check_backbone(name)
    with torch.device("meta"):
        info: Any = _create(name, _arguments(name, input_px)).feature_info
    features = zip(info.out_indices, info.channels(), info.reduction(), strict=True)
    levels = {patch: FeatureLevel(i, width, _grid_stride(patch), patch) for i, width, patch in features}
    return tuple(sorted(levels.values(), key=lambda level: level.stride))


class Backbone(nn.Module):
    """Feature maps of one timm model.

    Args:
        name: timm model name.
        strides: of the feature maps wanted, finest first; 4 is HRNet's raw high-resolution stream.
        input_px: side of the square crop; given to models that need to know it (Swin).
        pretrained: load ImageNet weights, or stop.
        weights_file: where they are, if not in a package or on timm's hub.
        drop_path: stochastic depth of the last block, growing from 0 at the first; None: timm's.
        swin_window: side of the windows of a Swin, in cells; None: that of its name.

    Attributes:
        levels: the feature maps that `forward` returns.
        mean, std: input statistics that the weights were made for, RGB in [0, 1]; part of the state dict,
            for imported weights may have others than timm's (see `released`).

    Raises:
        UserError: unknown name, no feature map of a stride, a crop that is not a whole number of cells, a
            model that cannot take its size, stochastic depth or window, or weights that cannot be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        *,
        strides: Sequence[int],
        input_px: int,
        pretrained: bool = False,
        weights_file: str | None = None,
        drop_path: float | None = None,
        swin_window: int | None = None,
    ) -> None:
        super().__init__()
        self.levels = _choose(name, strides, input_px)
        self.net_px = _network_px(name, self.levels, input_px)
        extra: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        if swin_window is not None:
            extra["window_size"] = checked_window(name, swin_window)
        _check_grid(name, self.levels, self.net_px, tuple(extra.items()))
        places = {"out_indices": tuple(level.place for level in self.levels)}
        kwargs = _arguments(name, self.net_px) | places | extra
        self.net: nn.Module = (
            create_pretrained(name, weights_file, **kwargs) if pretrained else _create(name, kwargs)
        )
        set_drop_path(self.net, name, drop_path)
        cut_unused(self.net)
        keep_depthwise_exact(self.net)
        self._nhwc = _gives_nhwc(self.net)
        cfg = timm.get_pretrained_cfg(name)
        mean, std = (cfg.mean, cfg.std) if cfg else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map an RGB image (B, 3, H, W) in [0, 1] to features (B, channels, H/stride, W/stride) per level."""
        if image.shape[-1] != self.net_px:
            image = F.interpolate(image, size=self.net_px, mode="bilinear", antialias=True)
        features: list[Tensor] = self.net((image - self.mean) / self.std)
        return [feature.permute(0, 3, 1, 2) for feature in features] if self._nhwc else features


def _create(name: str, kwargs: dict[str, Any]) -> nn.Module:
    try:
        return timm.create_model(name, **kwargs)
    except BROKEN as error:
        if "drop_path_rate" in str(error):
            raise UserError(NO_DEPTH.format(name)) from error
        raise UserError(
            f"backbone '{name}' gives no feature maps ({one_line(error)}); choose another"
        ) from error


@functools.cache
def _check_grid(
    name: str, levels: tuple[FeatureLevel, ...], net_px: int, extra: tuple[tuple[str, Any], ...]
) -> None:
    """Run the model without memory: its features must tile the image."""
    places = {"out_indices": tuple(level.place for level in levels)}
    arguments = _arguments(name, net_px) | places | dict(extra)
    with torch.device("meta"), torch.no_grad():
        net = _create(name, arguments).eval()
        try:
            features = net(torch.empty(1, 3, net_px, net_px))
        except BROKEN as error:
            reason = f"backbone '{name}' does not run on {net_px} px ({one_line(error)})"
            raise UserError(f"{reason}; choose another, or another input_px") from error
    rows = [feature.shape[1 if _gives_nhwc(net) else 2] for feature in features]
    wanted = [net_px // level.patch for level in levels]
    if rows != wanted:
        raise UserError(
            f"backbone '{name}': its features do not tile the image ({rows} rows instead of {wanted}, as of "
            "a network that does not pad its borders); choose another"
        )


def _gives_nhwc(net: nn.Module) -> bool:
    return str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC")


def _arguments(name: str, input_px: int) -> dict[str, Any]:
    if name.startswith("hrnet"):
        return {"features_only": True, "feature_location": ""}
    cfg = timm.get_pretrained_cfg(name)
    arguments: dict[str, Any] = {"features_only": True}
    if cfg is None or cfg.fixed_input_size:
        arguments["img_size"] = input_px
    if ends_in_norm(architecture(name)):
        arguments["feature_cls"] = NormedFeatures
    return arguments


def _grid_stride(patch: int) -> int:
    power: int = 2 ** round(math.log2(patch))
    return power


def _choose(name: str, strides: Sequence[int], input_px: int) -> tuple[FeatureLevel, ...]:
    available = {level.stride: level for level in feature_levels(name, input_px)}
    missing = [stride for stride in strides if stride not in available]
    if missing:
        listed = ", ".join(map(str, available))
        raise UserError(
            f"backbone '{name}' has no feature map of stride {missing[0]}; it has strides {listed}"
        )
    return tuple(available[stride] for stride in strides)


def _network_px(name: str, levels: Sequence[FeatureLevel], input_px: int) -> int:
    """Side of the image that the timm model sees."""
    deepest = levels[-1]
    cells, rest = divmod(input_px, deepest.stride)
    if rest:
        near = [deepest.stride * (cells + i) for i in (0, 1) if cells + i]
        raise UserError(
            f"input_px {input_px} is not a multiple of {deepest.stride}, the deepest stride used of "
            f"'{name}'; take {' or '.join(map(str, near))}"
        )
    if any(level.patch * deepest.stride != level.stride * deepest.patch for level in levels):
        patches = ", ".join(str(level.patch) for level in levels)
        raise UserError(f"backbone '{name}': strides {patches} do not fit one grid; choose another")
    return cells * deepest.patch
