"""Networks: every family under every head, the study's four, weight normalisations, and clear refusals."""

from typing import Any

import pytest
import timm
import torch
from packaging.version import Version
from torch import nn

from epropnp.errors import UserError
from epropnp.models.backbones import check_backbone, feature_levels
from epropnp.models.config import ModelConfig, WeightNorm
from epropnp.models.heads import HEADS, fitting_heads
from epropnp.models.network import CorrespondenceNet, weights_from_maps
from epropnp.training.recipes import RECIPES, study_head

PX = 64
FAMILIES = {
    "ResNet": "test_resnet",
    "ResNeXt": "resnext26ts",
    "RegNet": "regnetx_002",
    "EfficientNet": "test_efficientnet",
    "MobileNetV3": "mobilenetv3_small_050",
    "MobileNetV4": "mobilenetv4_conv_small_035",
    "ConvNeXt": "test_convnext",
    "ConvNeXtV2": "convnextv2_atto",
    "Swin": "swin_nano_patch4_window8",
    "SwinV2": "swinv2_tiny_window8_256",
    "MaxViT": "test_maxvit",
    "CoAtNet": "test_coatnet",
    "HRNet": "hrnet_w18_small",
    "ViT": "test_vit",
    "DINOv2": "vit_small_patch14_dinov2",
}
YOUNG = ("regnetx_002", "test_maxvit", "test_coatnet")  # not in, or not without weights, before timm 1.0.31


def network(head: str = "deconv", **settings: object) -> CorrespondenceNet:
    torch.manual_seed(0)
    given = {"backbone": "test_resnet", "head": head, "input_px": PX, "head_width": 8, "weight_norm": "v2"}
    return CorrespondenceNet(ModelConfig(**(given | settings)))  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"head": "upsample"}, {"head_width": 16}])
def test_the_weights_of_another_network_are_one_line(change: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="these weights are of another network") as caught:
        network().load_state_dict(network(**change).state_dict())
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("backbone", FAMILIES.values(), ids=FAMILIES.keys())
def test_every_family_trains_all_its_parameters_under_every_head(backbone: str, head: str) -> None:
    if backbone in YOUNG and Version(timm.__version__) < Version("1.0.31"):
        pytest.skip(f"timm {timm.__version__} does not know {backbone}, or not without its weights")
    if head not in fitting_heads([level.stride for level in feature_levels(backbone, PX)]):
        with pytest.raises(UserError, match=r"'direct' needs a feature map of stride 4.*strides 16.*fpn"):
            network(head, backbone=backbone)
        assert (head, backbone) in [("direct", "test_vit"), ("direct", "vit_small_patch14_dinov2")]
        return
    net = network(head, backbone=backbone)
    for parameter in net.parameters():  # layers that start at zero let no gradient through in the first step
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    out = net(torch.rand(2, 3, PX, PX))
    assert out.coords.shape == (2, 3, PX // 4, PX // 4)
    assert out.weight_logits.shape == (2, 2, PX // 4, PX // 4)
    assert out.log_scale.shape == (2, 2)
    (out.coords.square().sum() + out.weight_logits.square().sum() + out.log_scale.square().sum()).backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still
    assert all(p.grad.isfinite().all() for p in net.parameters() if p.grad is not None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "head", "parameters"),
    [  # backbone, 3 stages of a transposed and two 3x3 convolutions with batch norm, 7 readouts with biases
        ("resnet34", "deconv", 21_284_672 + (512 + 8 * 256) * 256 * 9 + 9 * 512 + 7 * 257),
        (
            "swin_tiny_patch4_window7_224",
            "deconv",
            27_519_354 + (768 + 8 * 256) * 256 * 9 + 9 * 512 + 7 * 257,
        ),
        ("convnext_tiny", "deconv", 27_818_592 + (768 + 8 * 256) * 256 * 9 + 9 * 512 + 7 * 257),
        ("hrnet_w32", "direct", 28_535_552 + 7 * 33),
    ],
)
def test_the_studys_four_networks(backbone: str, head: str, parameters: int) -> None:
    with torch.device("meta"):
        net = CorrespondenceNet(ModelConfig(backbone=backbone, head=head))
        out = net(torch.empty(1, 3, 256, 256))
    assert out.coords.shape == (1, 3, 64, 64)
    assert out.weight_logits.shape == (1, 2, 64, 64)
    assert sum(p.numel() for p in net.parameters()) == parameters


@pytest.mark.parametrize(("stride", "stages"), [(32, 3), (16, 2), (8, 1)])
def test_the_deepest_stride_sets_the_stages_of_deconv(stride: int, stages: int) -> None:
    net = network(deconv_stride=stride)
    assert sum(isinstance(m, nn.ConvTranspose2d) for m in net.head.modules()) == stages
    assert net(torch.rand(1, 3, PX, PX)).coords.shape == (1, 3, PX // 4, PX // 4)


def test_the_scales_are_read_from_the_feature_that_the_maps_are_read_from() -> None:
    net = network()
    seen: list[torch.Tensor] = []
    net.head.register_forward_hook(lambda *call: seen.append(call[-1]))
    nn.init.normal_(net.scale.weight)
    out = net.eval()(torch.rand(2, 3, PX, PX))
    torch.testing.assert_close(out.log_scale, net.scale(seen[0].mean((2, 3))))
    torch.testing.assert_close(out.coords, net.output(seen[0])[:, :3])


def test_readouts_are_float32_under_autocast() -> None:
    net = network().to(memory_format=torch.channels_last).eval()
    for weight in (net.output.weight, net.scale.weight):
        nn.init.normal_(weight)
    seen: list[torch.Tensor] = []
    net.head.register_forward_hook(lambda *call: seen.append(call[-1]))
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        out = net(torch.rand(8, 3, PX, PX))
    (feature,) = seen
    assert feature.dtype == torch.bfloat16
    exact = feature.double()
    maps = torch.einsum("oc,bchw->bohw", net.output.weight[:, :, 0, 0].double(), exact)
    scales = exact.mean((2, 3)) @ net.scale.weight.double().T + net.scale.bias.double()
    for given, right in [(torch.cat([out.coords, out.weight_logits], 1), maps), (out.log_scale, scales)]:
        assert given.dtype == torch.float32
        rounding = 1e-5 * right.abs().max().item()
        torch.testing.assert_close(given.double(), right, rtol=0, atol=rounding)


@pytest.mark.parametrize("name", ["quick", "paper"])
def test_recipes_name_backbones_and_heads_that_fit(name: str) -> None:
    recipe = RECIPES[name]
    for backbone in recipe.backbones:
        check_backbone(backbone)
        assert study_head(backbone) == ("direct" if "hrnet" in backbone else "deconv")


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
    net = network()
    out = net.eval()(torch.rand(1, 3, PX, PX))
    torch.testing.assert_close(out.log_scale, torch.full((1, 2), 3.0))
    assert out.weight_logits.abs().max() == 0
    assert net.output.weight[:3].std().item() == pytest.approx(1e-3, rel=0.5)
    fan_in = 3 * 3 * 8
    conv = next(m for m in net.head.modules() if isinstance(m, nn.Conv2d))
    assert conv.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.1)


def test_v1b_starts_with_small_normal_weights() -> None:
    net = network(weight_norm="v1b", head_width=64)
    weights: list[Any] = [
        m.weight for m in (*net.head.modules(), net.output, net.scale) if hasattr(m, "weight")
    ]
    convolutions = [weight for weight in weights if weight.dim() > 1]
    assert len(convolutions) == 9 + 2
    assert [weight.std().item() for weight in convolutions] == pytest.approx([1e-3] * 11, rel=0.2)


@pytest.mark.parametrize(("norm", "scale"), [("v1b", 0.0), ("v2", 3.0)])
def test_readouts_start_without_offsets_but_for_the_scale(norm: WeightNorm, scale: float) -> None:
    net = network(weight_norm=norm)
    assert not net.output.get_parameter("bias").any()
    assert net.scale.bias.tolist() == [scale, scale]
