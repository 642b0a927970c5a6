"""Heads: from backbone features to one feature map at stride 4, which the network's readouts are linear in.

`deconv` is the study's head for stride-32 backbones (CDPN's rotation head), `direct` its head for HRNet.
`fpn` (Lin et al., "Feature Pyramid Networks", 2017) fuses all strides, `upsample` trades transposed
convolutions for bilinear steps, which leave no checkerboard (Odena et al., 2016).

A head says which strides it reads before anything is built: `plan_strides` refuses a pair that cannot be.

One of your own is a subclass of `Head` in any module, here `my_heads.py`:

    class Sharp(FpnHead):
        def forward(self, features):
            return super().forward(features).relu()

and `--heads my_heads.Sharp`, with the file's folder on the PYTHONPATH of all that trains.
"""

import importlib
from collections.abc import Sequence
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from epropnp.errors import UserError
from epropnp.models.config import OUTPUT_STRIDE, checked_head


class Head(nn.Module):
    """What every head offers; `channels` is the width of what `forward` returns.

    Args:
        channels: widths of the feature maps, finest first.
        strides: theirs, as `plan` chose them.
        width: channels of the head's own layers.
    """

    needs: ClassVar[str]  # what `plan` looks for, in words
    channels: int

    @staticmethod
    def plan(strides: Sequence[int]) -> tuple[int, ...]:
        """The strides it reads out of those available (ascending); empty if it cannot work on them."""
        raise NotImplementedError

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features (B, C, H/stride, W/stride), finest first -> (B, channels, H/4, W/4)."""
        raise NotImplementedError


class StagedHead(Head):
    """L = log2(stride / 4) stages on the deepest feature, each doubling the resolution."""

    needs = "of stride 8 or more"

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int) -> None:
        super().__init__()
        self.channels = width
        stages = (strides[-1] // OUTPUT_STRIDE).bit_length() - 1
        before = [channels[-1], *[width] * (stages - 1)]
        self.stages = nn.Sequential(*(layer for c in before for layer in self.stage(c, width)))

    @staticmethod
    def plan(strides: Sequence[int]) -> tuple[int, ...]:
        """The deepest, if it is above 4."""
        return tuple(stride for stride in strides if stride > OUTPUT_STRIDE)[-1:]

    @staticmethod
    def stage(before: int, after: int) -> list[nn.Module]:
        """Layers of one stage, from `before` to `after` channels."""
        raise NotImplementedError

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """One feature (B, C, H/stride, W/stride) -> (B, width, H/4, W/4)."""
        out: Tensor = self.stages(features[-1])
        return out


class DeconvHead(StagedHead):
    """A stage is a transposed and two 3x3 convolutions."""

    @staticmethod
    def stage(before: int, after: int) -> list[nn.Module]:
        """Transposed convolution of kernel 3, then two convolutions."""
        deconv = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=False)
        doubling = [deconv, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        return [*doubling, *_conv_block(after, after), *_conv_block(after, after)]


class UpsampleHead(StagedHead):
    """A stage is a bilinear doubling between two 3x3 convolutions; the first costs a quarter."""

    @staticmethod
    def stage(before: int, after: int) -> list[nn.Module]:
        """Convolution, doubling, convolution."""
        double = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        return [*_conv_block(before, after), double, *_conv_block(after, after)]


class FpnHead(Head):
    """1x1 laterals of all strides from 4 on, added from the deepest up, then two 3x3 convolutions.

    A backbone without a stride-4 stream (a plain transformer) gets the last step by interpolation.
    """

    needs = "of stride 4 or more"

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int) -> None:
        super().__init__()
        self.channels = width
        self.finest = strides[0]
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.Sequential(*_conv_block(width, width), *_conv_block(width, width))

    @staticmethod
    def plan(strides: Sequence[int]) -> tuple[int, ...]:
        """All from 4 on."""
        return tuple(stride for stride in strides if stride >= OUTPUT_STRIDE)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Features (B, C, H/stride, W/stride), finest first -> (B, width, H/4, W/4)."""
        maps = [lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)]
        out: Tensor = maps[-1]
        for finer in maps[-2::-1]:
            out = finer + F.interpolate(out, size=finer.shape[-2:], mode="bilinear")
        if self.finest > OUTPUT_STRIDE:
            out = F.interpolate(out, scale_factor=self.finest // OUTPUT_STRIDE, mode="bilinear")
        smooth: Tensor = self.smooth(out)
        return smooth


class DirectHead(Head):
    """The stride-4 stream itself: the readouts are 1x1 convolutions on it; `width` is not used."""

    needs = "of stride 4"

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int) -> None:
        super().__init__()
        (self.channels,) = channels

    @staticmethod
    def plan(strides: Sequence[int]) -> tuple[int, ...]:
        """Stride 4."""
        return tuple(stride for stride in strides if stride == OUTPUT_STRIDE)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """One feature (B, C, H/4, W/4), unchanged."""
        return features[0]


HEADS: dict[str, type[Head]] = {
    "deconv": DeconvHead,
    "direct": DirectHead,
    "fpn": FpnHead,
    "upsample": UpsampleHead,
}


def head_class(name: str) -> type[Head]:
    """The head of that name, or of a module.

    Raises:
        UserError: there is none, the module cannot be imported, or what it holds is no `Head`.
    """
    if checked_head(name) in HEADS:
        return HEADS[name]
    module, _, attribute = name.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except Exception as error:  # whatever a module of one's own raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"head '{name}': the module {module} cannot be imported ({reason}); its folder has to be on the "
            "PYTHONPATH"
        ) from error
    if not (isinstance(found, type) and issubclass(found, Head)):
        raise UserError(f"head '{name}': {module} has no subclass {attribute} of epropnp.models.heads.Head")
    return found


def fitting_heads(strides: Sequence[int]) -> list[str]:
    """Names of the heads that work on feature maps of these strides (ascending)."""
    return [name for name, head in HEADS.items() if head.plan(strides)]


def plan_strides(head: str, backbone: str, strides: Sequence[int], deepest: int) -> tuple[int, ...]:
    """The strides that a head reads.

    Args:
        head: name in `HEADS`, or of a class of one's own.
        backbone: name, for the message.
        strides: of the backbone's feature maps, ascending.
        deepest: the largest stride that may be read.

    Raises:
        UserError: an unknown head, or one that cannot work on such strides; says which heads can.
    """
    kind = head_class(head)
    allowed = [stride for stride in strides if stride <= deepest]
    chosen = kind.plan(allowed)
    if not chosen:
        listed = ", ".join(map(str, strides))
        fitting = ", ".join(fitting_heads(allowed)) or "none; raise model.deconv_stride"
        raise UserError(
            f"head '{head}' needs a feature map {kind.needs}, at most {deepest}; "
            f"backbone '{backbone}' has strides {listed} (heads that fit: {fitting})"
        )
    return chosen


def _conv_block(before: int, after: int) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
