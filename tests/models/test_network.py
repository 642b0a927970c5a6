"""Networks: shapes, the study's parameter counts, weight normalisations, and clear refusals."""

import pytest
import torch

from epropnp.errors import UserError
from epropnp.models.backbones import Backbone, check_backbone, list_backbones
from epropnp.models.network import CorrespondenceNet, ModelConfig, WeightNorm, weights_from_maps
from epropnp.training.recipes import RECIPES

TINY = [
    ("test_resnet", "deconv"),
    ("test_convnext", "deconv"),
    ("swin_nano_patch4_window8", "deconv"),
    ("hrnet_w18_small", "direct"),
    ("hrnet_w18_small", "deconv"),
    ("resnet10t", "direct"),
]


@pytest.mark.parametrize(("backbone", "head"), TINY)
def test_maps_have_stride_4_and_gradients_reach_the_input(backbone: str, head: str) -> None:
    torch.manual_seed(0)
    config = ModelConfig(backbone=backbone, head=head, input_px=128, head_width=16)
    image = torch.rand(2, 3, 128, 128, requires_grad=True)
    out = CorrespondenceNet(config)(image)
    assert out.coords.shape == (2, 3, 32, 32)
    assert out.weight_logits.shape == (2, 2, 32, 32)
    assert out.log_scale.shape == (2, 2)
    (out.coords.square().sum() + out.weight_logits.square().sum() + out.log_scale.square().sum()).backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("backbone", "channels", "stride", "millions"),
    [
        ("resnet34", 512, 32, 21.285),
        ("swin_tiny_patch4_window7_224", 768, 32, 27.518),
        ("convnext_tiny", 768, 32, 27.818),
        ("hrnet_w32", 32, 4, 29.306),
    ],
)
def test_the_studys_four_backbones(backbone: str, channels: int, stride: int, millions: float) -> None:
    with torch.device("meta"):
        net = Backbone(backbone, stride=stride, input_px=256)
    assert (net.channels, net.stride) == (channels, stride)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.02)


@pytest.mark.parametrize("name", ["quick", "paper"])
def test_recipes_name_backbones_and_heads_that_fit(name: str) -> None:
    recipe = RECIPES[name]
    for backbone, head in recipe.study_heads.items():
        check_backbone(backbone)
        assert head == ("direct" if "hrnet" in backbone else "deconv")


def test_unknown_backbone_names_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean 'resnet34'"):
        check_backbone("resnet43")


def test_missing_stride_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="no feature map of stride 4; it has strides 16"):
        Backbone("test_vit", stride=4, input_px=160)


def test_pretrained_weights_that_cannot_be_had_stop_the_trial(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="no file"):
        Backbone(
            "resnet10t",
            stride=32,
            input_px=128,
            pretrained=True,
            weights_file=str(tmp_path / "none.pth"),
        )
    with pytest.raises(UserError, match="no pretrained weights"):
        Backbone("swin_nano_patch4_window8", stride=32, input_px=128, pretrained=True)


def test_wildcards_list_backbones() -> None:
    assert "convnext_tiny" in list_backbones("conv*")
    assert not [name for name in list_backbones("conv*") if not name.startswith("conv")]


@pytest.mark.parametrize("norm", ["v1b", "v2"])
def test_weights_do_not_depend_on_an_offset_of_the_logits(norm: WeightNorm) -> None:
    logits = torch.randn(2, 40, 2, generator=torch.Generator().manual_seed(0))
    log_scale = torch.tensor([[0.1, -0.2], [0.3, 0.0]])
    side = torch.tensor([160.0, 320.0])
    weights = weights_from_maps(logits, log_scale, side, 32, norm)
    shifted = weights_from_maps(logits + 7, log_scale, side, 32, norm)
    torch.testing.assert_close(weights, shifted, rtol=1e-5, atol=1e-8)
    if norm == "v2":  # sums to exp(scale) over the points, per cell of the output map
        total = weights.sum(1) * (side / 32)[:, None]
        torch.testing.assert_close(total, log_scale.exp())
    else:  # geometric mean exp(scale) / N
        torch.testing.assert_close(weights.log().mean(1).exp(), log_scale.exp() / 40)


def test_v2_starts_with_even_weights_and_scale_exp_3() -> None:
    net = CorrespondenceNet(ModelConfig(backbone="test_resnet", input_px=64, head_width=16, weight_norm="v2"))
    out = net.eval()(torch.rand(1, 3, 64, 64))
    torch.testing.assert_close(out.log_scale, torch.full((1, 2), 3.0))
    assert out.weight_logits.abs().max() == 0
