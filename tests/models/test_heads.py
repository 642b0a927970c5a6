"""Heads: which strides each reads, what they refuse, and that bilinear steps leave no checkerboard."""

import pytest
import torch
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.models.heads import HEADS, Head, fitting_heads, plan_strides

CNN = (2, 4, 8, 16, 32)


@pytest.mark.parametrize(
    ("head", "strides", "deepest", "read"),
    [
        ("deconv", CNN, 32, (32,)),
        ("deconv", CNN, 16, (16,)),
        ("deconv", (16,), 32, (16,)),
        ("upsample", CNN, 8, (8,)),
        ("direct", CNN, 32, (4,)),
        ("fpn", CNN, 32, (4, 8, 16, 32)),
        ("fpn", CNN, 16, (4, 8, 16)),
        ("fpn", (16,), 32, (16,)),
    ],
)
def test_each_head_reads_its_strides(
    head: str, strides: tuple[int, ...], deepest: int, read: tuple[int, ...]
) -> None:
    assert plan_strides(head, "some", strides, deepest) == read


@pytest.mark.parametrize(
    ("head", "strides", "deepest", "words"),
    [
        ("decon", CNN, 32, "unknown head 'decon'; did you mean 'deconv'.*direct, fpn, upsample"),
        ("direct", (16,), 32, "'direct' needs a feature map of stride 4.* fit: deconv, fpn, upsample"),
        (
            "deconv",
            (4,),
            32,
            "'deconv' needs a feature map of stride 8 or more, at most 32.* fit: direct, fpn",
        ),
        (
            "fpn",
            (16,),
            8,
            "of stride 4 or more, at most 8; backbone 'some' has strides 16.*raise model.deconv_stride",
        ),
    ],
)
def test_a_head_that_does_not_fit_is_refused_with_those_that_do(
    head: str, strides: tuple[int, ...], deepest: int, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        plan_strides(head, "some", strides, deepest)


def test_plain_transformers_fit_all_heads_but_direct() -> None:
    assert fitting_heads((16,)) == ["deconv", "fpn", "upsample"]
    assert fitting_heads(CNN) == list(HEADS)


@pytest.mark.parametrize("head", HEADS)
def test_the_output_has_stride_4_and_the_width_that_the_head_names(head: str) -> None:
    read = plan_strides(head, "some", CNN, 32)
    net = build(head, read)
    assert net(features(read)).shape == (2, net.channels, 16, 16)


def test_fpn_fuses_every_stride() -> None:
    read = plan_strides("fpn", "some", CNN, 32)
    given = [feature.requires_grad_() for feature in features(read)]
    build("fpn", read)(given).square().sum().backward()
    for feature in given:
        assert feature.grad is not None
        assert feature.grad.abs().amax((1, 2, 3)).min() > 0


def test_bilinear_steps_leave_no_checkerboard() -> None:
    """An even feature gives an even map away from the borders; transposed convolutions imprint a pattern."""
    inner = slice(12, -12)
    deviation = {}
    for head in ("upsample", "deconv"):
        torch.manual_seed(0)
        net = HEADS[head]([6], [8], 16).eval()
        randomise(net)
        out = net([torch.ones(1, 6, 32, 32)])[..., inner, inner]
        deviation[head] = (out.std((2, 3)) / out.abs().amax((2, 3)).clamp_min(1e-9)).max().item()
    assert deviation["upsample"] < 1e-5
    assert deviation["deconv"] > 0.05


def build(head: str, strides: tuple[int, ...]) -> Head:
    torch.manual_seed(0)
    net = HEADS[head]([6 + i for i in range(len(strides))], strides, 16)
    randomise(net)
    return net


def features(strides: tuple[int, ...]) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, 6 + i, 64 // stride, 64 // stride, generator=generator)
        for i, stride in enumerate(strides)
    ]


def randomise(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight)
