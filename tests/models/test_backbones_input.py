"""What a backbone is given: an image normalised by the statistics of its weights, on the crop's own grid."""

import pytest
import timm
import torch
from torch import Tensor, nn

from epropnp.models.backbones import Backbone, feature_levels

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation of red, green and blue
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def inner_input(net: Backbone, image: Tensor) -> Tensor:
    """What the timm model inside sees."""
    seen: list[Tensor] = []
    handle = net.net.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        net.eval()(image)
    handle.remove()
    return seen[0]


@pytest.mark.parametrize(
    ("name", "stride", "statistics"),
    [
        ("resnet10t", 32, IMAGENET),
        ("swin_nano_patch4_window8", 32, IMAGENET),  # has no weights anywhere: the usual numbers
        ("mobilenetv3_small_050", 32, IMAGENET),
        ("tf_efficientnet_lite0", 32, HALF),
        ("test_vit", 16, HALF),
    ],
)
def test_each_channel_is_normalised_by_its_own_numbers(
    name: str, stride: int, statistics: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    net = Backbone(name, strides=[stride], input_px=64)
    colour = torch.tensor([0.2, 0.6, 0.9])  # red, green, blue
    seen = inner_input(net, colour.view(1, 3, 1, 1).expand(1, 3, 64, 64))
    mean, std = map(torch.tensor, statistics)
    expected = ((colour - mean) / std).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    torch.testing.assert_close(seen, expected)


def test_statistics_that_came_with_weights_are_used() -> None:
    net = Backbone("test_resnet", strides=[32], input_px=64)
    state = net.state_dict() | {"mean": torch.full((1, 3, 1, 1), 0.1), "std": torch.full((1, 3, 1, 1), 2.0)}
    net.load_state_dict(state)
    seen = inner_input(net, torch.full((1, 3, 64, 64), 0.5))
    torch.testing.assert_close(seen, torch.full((1, 3, 64, 64), 0.2))


def test_a_crop_that_is_rescaled_keeps_a_ramp_and_loses_what_is_too_fine() -> None:
    """64 px on 56 for a patch of 14: pixel i of 56 lies at (i + 1/2) 64/56 - 1/2 of the crop."""
    net = Backbone("vit_small_patch14_dinov2", strides=[16], input_px=64)
    assert net.net_px == 56
    x = torch.arange(64.0).expand(64, 64)
    image = torch.stack([x / 64, x.T / 64, x.T / 64])[None]
    back = inner_input(net, image) * net.std + net.mean
    place = ((torch.arange(56) + 0.5) * 64 / 56 - 0.5)[2:-2] / 64
    torch.testing.assert_close(back[0, 0, 5, 2:-2], place, rtol=0, atol=2e-3)  # a filter of finite support
    torch.testing.assert_close(back[0, 1, 2:-2, 5], place, rtol=0, atol=2e-3)
    stripes = (torch.arange(64) % 2).float().expand(1, 3, 64, 64)
    plain = torch.nn.functional.interpolate(stripes, size=56, mode="bilinear")
    averaged = inner_input(net, stripes) * net.std + net.mean
    assert averaged.std() < 0.9 * plain.std()


def test_a_crop_of_the_networks_own_size_is_not_touched() -> None:
    net = Backbone("test_resnet", strides=[32], input_px=64)
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(inner_input(net, image) * net.std + net.mean, image)


def test_the_nano_swin_is_of_the_size_that_it_says() -> None:
    """Counted by hand: widths 32 to 256, two blocks each, windows of 8 x 8."""
    widths, heads = (32, 64, 128, 256), (1, 2, 4, 8)
    tables = 15 * 15  # relative positions in a window of 8
    block = sum(2 * (12 * c * c + 13 * c + tables * h) for c, h in zip(widths, heads, strict=True))
    merging = sum(8 * c * c + 8 * c for c in widths[:-1])  # 4c -> 2c without a bias, after a norm of 4c
    stem = 3 * 16 * 32 + 32 + 2 * 32
    with torch.device("meta"):
        net = timm.create_model("swin_nano_patch4_window8", features_only=True, img_size=256)
    assert sum(p.numel() for p in net.parameters()) == stem + block + merging
    small = timm.create_model("swin_nano_patch4_window8", features_only=True, img_size=64)
    levels = feature_levels("swin_nano_patch4_window8", 64)
    assert [(level.stride, level.channels) for level in levels] == [(4, 32), (8, 64), (16, 128), (32, 256)]
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():  # in training: no block is ever left out
        first, again = small.train()(image)[-1], small(image)[-1]
    assert torch.equal(first, again)


@pytest.mark.parametrize("net_px", [224, 280])
def test_an_image_is_fitted_to_a_network_without_a_shift(net_px: int) -> None:
    """Pixel m of 224 lies at 256 / 224 (m + 1/2) - 1/2 of 256; the statistics are taken off afterwards."""
    backbone = Backbone.__new__(Backbone)
    nn.Module.__init__(backbone)
    backbone.net_px, backbone.net, backbone._nhwc = net_px, nn.Sequential(), False
    backbone.mean, backbone.std = torch.tensor(3.0), torch.tensor(2.0)
    image = torch.arange(256.0).expand(1, 3, 256, 256)
    line = 2 * torch.stack(list(backbone(image)))[0, 0, net_px // 2] + 3
    expected = 256 / net_px * (torch.arange(net_px) + 0.5) - 0.5
    gap = (line - expected)[2:-2]
    assert gap.abs().max() < (0.1 if net_px < 256 else 1e-3)  # what shrinks is averaged with rounded weights
    assert gap.mean().abs() < 1e-3
