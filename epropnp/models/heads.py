"""Heads: from one backbone feature map to the dense output maps at stride 4.

`deconv` is the study's head for stride-32 backbones (CDPN's rotation head): L stages, each doubling the
resolution. `direct` is its head for HRNet: a 1x1 convolution on the stride-4 stream, L = 0.
"""

import math
from collections.abc import Callable

from torch import Tensor, nn

from epropnp.errors import UserError, nearest

OUTPUT_STRIDE = 4
OUTPUT_CHANNELS = 5  # three object coordinates and two weight maps


class DeconvHead(nn.Module):
    """L = log2(stride / 4) stages of transposed and two 3x3 convolutions, then a 1x1 convolution."""

    def __init__(self, channels: int, stride: int, width: int) -> None:
        super().__init__()
        if stride <= OUTPUT_STRIDE:
            raise UserError(f"head 'deconv' needs a feature stride above {OUTPUT_STRIDE}, not {stride}")
        stages: list[nn.Module] = []
        for stage in range(int(math.log2(stride // OUTPUT_STRIDE))):
            stages += _upsampling_stage(channels if stage == 0 else width, width)
        self.stages = nn.Sequential(*stages)
        self.output = nn.Conv2d(width, OUTPUT_CHANNELS, 1)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C, H/stride, W/stride) -> (B, 5, H/4, W/4)."""
        out: Tensor = self.output(self.stages(feature))
        return out


class DirectHead(nn.Module):
    """A 1x1 convolution on a stride-4 feature map; `width` is not used."""

    def __init__(self, channels: int, stride: int, width: int) -> None:
        super().__init__()
        if stride != OUTPUT_STRIDE:
            raise UserError(f"head 'direct' needs a feature stride of {OUTPUT_STRIDE}, not {stride}")
        self.output = nn.Conv2d(channels, OUTPUT_CHANNELS, 1)

    def forward(self, feature: Tensor) -> Tensor:
        """(B, C, H/4, W/4) -> (B, 5, H/4, W/4)."""
        out: Tensor = self.output(feature)
        return out


HEADS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "deconv": DeconvHead,
    "direct": DirectHead,
}


def check_head(name: str) -> None:
    """Raise a UserError that names the nearest head if `name` is not one."""
    if name not in HEADS:
        raise UserError(f"unknown head '{name}'{nearest(name, HEADS)}; heads are {', '.join(HEADS)}")


def _upsampling_stage(channels: int, width: int) -> list[nn.Module]:
    deconv = nn.ConvTranspose2d(channels, width, 3, stride=2, padding=1, output_padding=1, bias=False)
    layers: list[nn.Module] = [deconv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    for _ in range(2):
        conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    return layers
