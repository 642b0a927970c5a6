"""Half pixels in heads: a ramp over the image, sampled at the centres of a stride's cells, stays a ramp."""

import pytest
import torch
from torch import Tensor, nn

from epropnp.models.heads import FpnHead, Head, UpsampleHead

PX = 128  # side of the image
MARGIN = 5  # cells at the border, which bilinear steps extrapolate as constant


def ramp(stride: int) -> Tensor:
    """x and y of the cells' centres, in pixels, (1, 2, PX / stride, PX / stride)."""
    centre = stride * (torch.arange(PX // stride) + 0.5)
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    return torch.stack([x, y])[None]


def pass_through(head: Head) -> Head:
    """Convolutions give what they are given; batch norm and ReLU leave positive numbers as they are."""
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.dirac_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-30  # 0 is refused by some versions
    return head.eval()


def inner(maps: Tensor, margin: int = MARGIN) -> Tensor:
    return maps[..., margin:-margin, margin:-margin]


@pytest.mark.parametrize("stride", [8, 16])
def test_bilinear_stages_keep_a_ramp_where_it_is(stride: int) -> None:
    out = pass_through(UpsampleHead([2], [stride], 2))([ramp(stride)])
    torch.testing.assert_close(inner(out), inner(ramp(4)), rtol=0, atol=1e-4)


@pytest.mark.parametrize("strides", [(4,), (8,), (16,), (4, 8), (4, 16), (8, 32), (4, 8, 16)])
def test_fpn_adds_the_ramps_of_all_strides_where_they_are(strides: tuple[int, ...]) -> None:
    head = pass_through(FpnHead([2] * len(strides), strides, 2))
    out = head([(k + 1) * ramp(stride) for k, stride in enumerate(strides)])
    total = sum(range(len(strides) + 1))
    margin = strides[-1] // 4 + 1
    torch.testing.assert_close(inner(out, margin), total * inner(ramp(4), margin), rtol=0, atol=1e-3)


def test_a_bilinear_stage_convolves_before_and_after_the_doubling() -> None:
    """A step of one cell, seen by 3x3 means: before the doubling it is as wide as six of the finer cells."""
    head = pass_through(UpsampleHead([1], [8], 1))
    before, after = (module for module in head.modules() if isinstance(module, nn.Conv2d))
    spot = torch.zeros(1, 1, 16, 16)
    spot[0, 0, 8, 8] = 1
    widths = []
    for blurred in (before, after):
        nn.init.constant_(blurred.weight, 1 / 9)
        out = head([spot])
        widths.append(int((out[0, 0, 17] > 0).sum()))
        assert out.sum().item() == pytest.approx(4)
        nn.init.dirac_(blurred.weight)
    assert widths == [8, 6]  # (1 + 2) cells and 1 + 1 fine ones more; 1 cell and 2 fine ones, and 2 more


def test_heads_smooth_with_batch_norm_and_relu() -> None:
    for head, given in (
        (UpsampleHead([2], [8], 2), [ramp(8)]),
        (FpnHead([2, 2], [4, 8], 2), [ramp(4), ramp(8)]),
    ):
        kinds = [type(module) for module in head.modules() if not list(module.children())]
        rectified, normalised = kinds.count(nn.ReLU), kinds.count(nn.BatchNorm2d)
        assert (rectified, normalised) == (2, 2)
        negative = pass_through(head)([-feature for feature in given])
        assert negative.abs().max() == 0
