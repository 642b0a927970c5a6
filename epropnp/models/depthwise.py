"""Depthwise convolutions on a CPU: in float32 under autocast, too; in bf16 their backward pass is slow."""

import functools

import torch
from torch import Tensor, nn


def keep_depthwise_exact(net: nn.Module) -> None:
    """Let the depthwise convolutions of a network compute in float32 on a CPU, whatever autocast says.

    They make up a few percent of a network's operations, and their results are rounded to the type of their
    input, as all others are. Parameters and their names stay what they are.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and module.groups == module.in_channels > 1:
            module.__class__ = _exact(type(module))  # type: ignore[arg-type]  # mypy takes the hash of its objects


@functools.cache
def _exact(kind: type[nn.Conv2d]) -> type[nn.Conv2d]:
    """A kind of convolution (timm has some of its own) with the exception for a CPU."""

    class Depthwise(kind):  # type: ignore[misc,valid-type]
        def forward(self, x: Tensor) -> Tensor:
            if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
                return super().forward(x)
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float()).to(x.dtype)

    return Depthwise
