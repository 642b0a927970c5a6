"""Depthwise convolutions on a CPU against plain convolutions in float32."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epropnp.models.backbones import Backbone
from epropnp.models.depthwise import keep_depthwise_exact


def depthwise(net: nn.Module) -> list[nn.Conv2d]:
    convs = (module for module in net.modules() if isinstance(module, nn.Conv2d))
    return [conv for conv in convs if conv.groups == conv.in_channels > 1]


def test_under_autocast_they_and_their_gradients_are_those_of_float32() -> None:
    net = nn.Sequential(nn.Conv2d(12, 12, 5, padding=2, groups=12), nn.Conv2d(12, 4, 1))
    conv = depthwise(net)[0]
    assert conv.bias is not None
    keep_depthwise_exact(net)
    torch.manual_seed(0)
    x = torch.randn(2, 12, 9, 9).bfloat16()  # as it comes from a layer before
    weight, bias = (p.detach().clone().requires_grad_() for p in (conv.weight, conv.bias))
    wanted = F.conv2d(x.float(), weight, bias, padding=2, groups=12)
    upstream = torch.randn_like(wanted).bfloat16()
    wanted.backward(upstream.float())
    with torch.autocast("cpu", torch.bfloat16):
        found = conv(x)
        dense = net(x)
    found.backward(upstream)
    assert found.dtype == torch.bfloat16
    assert torch.equal(found, wanted.bfloat16())
    torch.testing.assert_close(conv.weight.grad, weight.grad, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(conv.bias.grad, bias.grad, rtol=1e-6, atol=1e-6)
    assert dense.dtype == torch.bfloat16  # the others stay what autocast makes of them


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "convnext_zepto_rms"])
def test_all_of_a_backbone_are_meant_and_nothing_else_changes(name: str) -> None:
    torch.manual_seed(0)
    net = Backbone(name, strides=[4, 8], input_px=64).eval()
    found = depthwise(net)
    assert len(found) >= 4
    assert {type(conv).__name__ for conv in found} == {"Depthwise"}
    assert {type(conv).__name__ for conv in net.modules() if isinstance(conv, nn.Conv2d)} > {"Depthwise"}
    plain = copy.deepcopy(net)
    for conv in depthwise(plain):
        conv.__class__ = type(conv).__mro__[1]
    assert plain.state_dict().keys() == net.state_dict().keys()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        for ours, theirs in zip(net(image), plain(image), strict=True):
            assert torch.equal(ours, theirs)  # in float32
