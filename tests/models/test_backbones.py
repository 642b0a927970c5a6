"""Backbones: strides and widths from timm, nothing unused inside, odd patches on the grid, clear refusals."""

from typing import Any

import pytest
import timm
import torch

from epropnp.errors import UserError
from epropnp.models.backbones import (
    Backbone,
    NormedFeatures,
    check_backbone,
    feature_levels,
    list_backbones,
)


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stride", "channels", "count"),
    [
        ("resnet34", 32, 512, 21_284_672),
        ("swin_tiny_patch4_window7_224", 32, 768, 27_519_354),
        ("convnext_tiny", 32, 768, 27_818_592),
        ("hrnet_w32", 4, 32, 28_535_552),
    ],
)
def test_the_studys_four_backbones(name: str, stride: int, channels: int, count: int) -> None:
    with torch.device("meta"):
        net = Backbone(name, strides=[stride], input_px=256)
        (feature,) = net(torch.empty(2, 3, 256, 256))
    assert feature.shape == (2, channels, 256 // stride, 256 // stride)
    assert parameters(net) == count


def test_of_hrnet_only_fusion_layers_that_no_stream_asked_for_needs_are_cut() -> None:
    with torch.device("meta"):
        net = Backbone("hrnet_w32", strides=[4], input_px=256)
        whole = timm.create_model("hrnet_w32", features_only=True, feature_location="")
    ours, theirs = dict(net.net.named_parameters()), dict(whole.named_parameters())
    assert not ours.keys() - theirs.keys()
    cut = theirs.keys() - ours.keys()
    assert len(cut) == 39
    assert all(name.startswith(tuple(f"stage4.2.fuse_layers.{row}." for row in (1, 2, 3))) for name in cut)
    assert parameters(whole) == 29_305_536


@pytest.mark.slow
@pytest.mark.parametrize("strides", [(4,), (32,), (4, 8, 16, 32)])
@pytest.mark.parametrize("name", ["hrnet_w18_small", "mobilenetv3_small_050"])
def test_what_is_left_computes_what_timm_computes(name: str, strides: tuple[int, ...]) -> None:
    net = Backbone(name, strides=strides, input_px=64).eval()
    extra: dict[str, Any] = {"feature_location": ""} if "hrnet" in name else {}
    whole: Any = timm.create_model(name, features_only=True, **extra).eval()
    missing, _ = net.net.load_state_dict(whole.state_dict(), strict=False)
    assert not missing
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    given = dict(zip(whole.feature_info.reduction(), whole((image - net.mean) / net.std), strict=True))
    for stride, feature in zip(strides, net(image), strict=True):
        torch.testing.assert_close(feature, given[stride], rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("strides", [(4,), (32,), (4, 8, 16, 32)])
def test_a_transformer_ends_in_the_norm_of_its_classifier(strides: tuple[int, ...]) -> None:
    net = Backbone("swin_nano_patch4_window8", strides=strides, input_px=64).eval()
    whole: Any = timm.create_model("swin_nano_patch4_window8", img_size=64).eval()
    with torch.no_grad():
        whole.norm.weight.uniform_(0.5, 2.0)
        whole.norm.bias.uniform_(-1.0, 1.0)
    ours: Any = net.net.model
    missing, _ = ours.load_state_dict(whole.state_dict(), strict=False)
    assert not missing
    assert hasattr(ours.norm, "weight") == (32 in strides)
    image = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    x, given = whole.patch_embed((image - net.mean) / net.std), []
    for layer in whole.layers:
        x = layer(x)
        given.append(x)
    given[-1] = torch.nn.functional.layer_norm(x, (256,), whole.norm.weight, whole.norm.bias)
    for stride, feature in zip(strides, net(image), strict=True):
        expected = given[[4, 8, 16, 32].index(stride)].permute(0, 3, 1, 2)
        torch.testing.assert_close(feature, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "normed"),
    [
        ("swin_tiny_patch4_window7_224", True),
        ("vit_tiny_patch16_224", True),
        ("convnext_tiny", False),  # as in the study
        ("resnet34", False),
        ("hrnet_w32", False),
        ("starnet_s1", False),  # a batch norm is no transformer's
    ],
)
def test_which_families_end_in_a_norm(name: str, normed: bool) -> None:
    with torch.device("meta"):
        stride = feature_levels(name, 64)[-1].stride
        net = Backbone(name, strides=[stride], input_px=64 if stride < 32 else 128)
    assert isinstance(net.net, NormedFeatures) == normed


def test_levels_are_the_deepest_of_each_stride() -> None:
    assert [(level.stride, level.channels) for level in feature_levels("test_resnet", 64)] == [
        (2, 32),
        (4, 32),
        (8, 48),
        (16, 192),
        (32, 96),
    ]
    (level,) = feature_levels("vit_tiny_patch16_224", 64)
    assert (level.stride, level.place) == (16, 11)  # the last of its twelve blocks


def test_a_patch_of_14_lies_on_the_grid_of_stride_16() -> None:
    (level,) = feature_levels("vit_small_patch14_dinov2", 64)
    assert (level.stride, level.patch) == (16, 14)
    with torch.device("meta"):
        net = Backbone("vit_small_patch14_dinov2", strides=[16], input_px=256)
        assert net.net_px == 224
        assert net(torch.empty(1, 3, 256, 256))[0].shape == (1, 384, 16, 16)


def test_input_statistics_are_timms_and_travel_with_the_weights() -> None:
    net = Backbone("tf_efficientnet_lite0", strides=[4], input_px=64)
    assert net.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    assert net.std.flatten().tolist() == [0.5, 0.5, 0.5]
    assert {"mean", "std"} <= net.state_dict().keys()


@pytest.mark.parametrize(
    ("name", "strides", "px", "words"),
    [
        ("resnet43", [32], 64, "unknown backbone 'resnet43'; did you mean 'resnet34'"),
        ("test_vit", [4], 160, "no feature map of stride 4; it has strides 16"),
        ("test_resnet", [32], 144, "input_px 144 is not a multiple of 32.* take 128 or 160"),
        ("inception_v3", [4], 128, "do not tile the image"),
        ("crossvit_9_240", [16], 224, "crossvit_9_240"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(
    name: str, strides: list[int], px: int, words: str
) -> None:
    with pytest.raises(UserError, match=words), torch.device("meta"):
        Backbone(name, strides=strides, input_px=px)


def test_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'resnet34'"):
        check_backbone("resnet43")


def test_pretrained_weights_that_cannot_be_had_stop_the_trial(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="no file"):
        Backbone(
            "resnet10t",
            strides=[32],
            input_px=128,
            pretrained=True,
            weights_file=str(tmp_path / "none.pth"),
        )
    with pytest.raises(UserError, match="no pretrained weights"):
        Backbone("swin_nano_patch4_window8", strides=[32], input_px=128, pretrained=True)


def test_wildcards_list_backbones() -> None:
    assert "convnext_tiny" in list_backbones("conv*")
    assert not [name for name in list_backbones("conv*") if not name.startswith("conv")]
