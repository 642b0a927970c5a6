"""Readouts: weights from maps by hand, and what a fresh network starts from."""

import math

import pytest
import torch
from torch import Tensor, nn

from epropnp.models.config import ModelConfig, WeightNorm
from epropnp.models.network import CorrespondenceNet, weights_from_maps

LN2 = math.log(2)


def network(weight_norm: WeightNorm, **settings: object) -> CorrespondenceNet:
    torch.manual_seed(0)
    given = {"backbone": "test_resnet", "input_px": 64, "head_width": 32, "weight_norm": weight_norm}
    return CorrespondenceNet(ModelConfig(**(given | settings)))  # type: ignore[arg-type]


def logits() -> Tensor:
    """Three points of two objects: powers of two, others for each image axis, (2, 3, 2)."""
    first = torch.tensor([[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]])
    return LN2 * torch.stack([first, first.flip(1) * 2])


def test_weights_of_v2_by_hand() -> None:
    """softmax exp(scale) / (pixels per cell): 32 px of a crop on 16 cells are 2 px each, 80 px are 5."""
    scale = torch.tensor([[3.0, 1.0], [1.0, 2.0]]).log()
    found = weights_from_maps(logits(), scale, torch.tensor([32.0, 80.0]), 16, "v2")
    shares = torch.tensor([[1, 4], [2, 2], [4, 1]]) / 7, torch.tensor([[16, 1], [4, 4], [1, 16]]) / 21
    expected = torch.stack(
        [shares[0] * torch.tensor([3.0, 1.0]) / 2, shares[1] * torch.tensor([1.0, 2.0]) / 5]
    )
    torch.testing.assert_close(found, expected)


def test_weights_of_v1b_by_hand() -> None:
    """exp(m - mean m) exp(scale) / N, whatever the size of the crop."""
    scale = torch.tensor([[3.0, 1.0], [5.0, 2.0]]).log()
    for side in (32.0, 80.0):
        found = weights_from_maps(logits(), scale, torch.full((2,), side), 16, "v1b")
        parts = torch.tensor([[0.5, 2], [1, 1], [2, 0.5]]), torch.tensor([[4, 0.25], [1, 1], [0.25, 4]])
        expected = torch.stack([part * scale[i].exp() / 3 for i, part in enumerate(parts)])
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("norm", ["v1b", "v2"])
def test_no_bias_of_head_and_maps_is_random(norm: WeightNorm) -> None:
    """Of no head: `fpn` has biases in its laterals, too."""
    net = network(norm, head="fpn")
    biases = [
        m.bias for m in (*net.head.modules(), net.output) if isinstance(m, nn.Conv2d) and m.bias is not None
    ]
    assert len(biases) == 4 + 1  # strides 4 to 32, and the maps
    assert not any(bias.any() for bias in biases)
    start = 0.0 if norm == "v1b" else 3.0
    assert net.scale.bias.tolist() == [start, start]


def test_v1b_starts_near_equal_weights_of_scale_one() -> None:
    net = network("v1b").eval()
    out = net(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert out.log_scale.abs().max() < 0.05
    assert out.weight_logits.abs().max() < 0.05
    assert net.output.weight[3:].any()  # small, but not zero as v2's


def test_the_backbone_is_not_initialised_anew() -> None:
    """timm's own, or pretrained, weights stay: a first layer with a deviation of 1e-3 would be dead."""
    for norm in ("v1b", "v2"):
        conv = next(m for m in network(norm).backbone.modules() if isinstance(m, nn.Conv2d))
        fan_out = conv.weight[0].numel() // 3 * conv.weight.shape[0]
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)


def test_channels_of_the_maps_are_coordinates_then_weights() -> None:
    net = network("v2").eval()
    nn.init.zeros_(net.output.weight)
    net.output.get_parameter("bias").data = torch.arange(5.0)
    out = net(torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert out.coords.mean((0, 2, 3)).tolist() == [0, 1, 2]
    assert out.weight_logits.mean((0, 2, 3)).tolist() == [3, 4]


@pytest.mark.parametrize(("px", "cells"), [(64, 16), (256, 64), (96, 24)])
def test_maps_have_a_quarter_of_the_inputs_side(px: int, cells: int) -> None:
    assert ModelConfig(input_px=px).map_px == cells


@pytest.mark.parametrize(
    ("settings", "starts"),
    [({}, False), ({"pretrained": True}, True), ({"released": "a.pth"}, True)],
)
def test_a_network_starts_from_weights_where_it_is_told_to(settings: dict[str, object], starts: bool) -> None:
    assert ModelConfig(**settings).starts_from_weights is starts  # type: ignore[arg-type]


def test_the_head_reads_no_deeper_than_asked() -> None:
    assert [level.stride for level in network("v2", head="fpn", deconv_stride=16).backbone.levels] == [
        4,
        8,
        16,
    ]
    assert [level.stride for level in network("v2", deconv_stride=8).backbone.levels] == [8]
