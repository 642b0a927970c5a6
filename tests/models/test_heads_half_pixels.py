"""Half pixels of the networks' resizings: a ramp at one stride is the same ramp at another.

Cell m of stride s lies at pixel `s (m + 1/2) - 1/2` of the input, so that a map which holds its own cells'
places holds, after resizing, those of the new cells; but at the rim, where nothing lies beyond.
"""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from epropnp.models.heads import FpnHead, UpsampleHead

INPUT_PX = 256


def places(stride: int) -> Tensor:
    """Pixel of the input at every cell's centre, (1, 2, n, n): columns and rows."""
    line = stride * (torch.arange(INPUT_PX // stride) + 0.5) - 0.5
    row, column = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([column, row])[None]


def assert_same_ramp(found: Tensor, stride: int) -> None:
    """At stride 4, away from the rim: a cell of the old stride."""
    inner = slice(stride // 4, -stride // 4)
    assert found.shape[-2:] == (INPUT_PX // 4, INPUT_PX // 4)
    torch.testing.assert_close(found[..., inner, inner], places(4)[..., inner, inner], atol=1e-3, rtol=0)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_bilinear_steps_keep_a_ramp(stride: int) -> None:
    steps = [layer for layer in UpsampleHead([2], [stride], 2).stages if isinstance(layer, nn.Upsample)]
    assert len(steps) == {8: 1, 16: 2, 32: 3}[stride]
    assert_same_ramp(nn.Sequential(*steps)(places(stride)), stride)


@pytest.mark.parametrize("strides", [(4, 8, 16, 32), (4, 32), (8,), (16,), (8, 16)])
@pytest.mark.parametrize("carrier", [0, -1])
def test_a_feature_pyramid_keeps_the_ramp_of_any_stride(strides: tuple[int, ...], carrier: int) -> None:
    """With laterals that pass one stride on as it is, and nothing of the others."""
    head = FpnHead([2] * len(strides), strides, 2)
    head.smooth = nn.Sequential()
    with torch.no_grad():
        laterals: Any = head.laterals
        for lateral in laterals:
            nn.init.zeros_(lateral.weight)
            nn.init.zeros_(lateral.bias)
        laterals[carrier].weight[:, :, 0, 0] = torch.eye(2)
        assert_same_ramp(head([places(stride) for stride in strides]), strides[carrier])
