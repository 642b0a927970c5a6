"""Multiply-adds against counts worked out by hand."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from epropnp.inference.flops import multiply_adds
from tests.inference.untrained import untrained

CPU = torch.device("cpu")


class Attention(nn.Module):
    """Of 2 heads over the 16 pixels of a 4 x 4 picture, 8 values each."""

    def forward(self, image: Tensor) -> Tensor:
        tokens = image.mean(1).reshape(1, 1, 16, 1).expand(1, 2, 16, 8)  # (B, heads, pixels, values)
        return functional.scaled_dot_product_attention(tokens, tokens, tokens)


def test_a_convolution_multiplies_each_weight_once_per_pixel_that_it_makes() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 5, 1))
    first, second = 8 * 8 * 8 * 3 * 9, 8 * 8 * 5 * 8
    assert multiply_adds(net, 16, CPU) == first + second


def test_a_linear_layer_multiplies_each_weight_once() -> None:
    assert multiply_adds(nn.Sequential(nn.Flatten(), nn.Linear(48, 7)), 4, CPU) == 48 * 7


def test_attention_is_counted_on_a_cpu_too() -> None:
    assert multiply_adds(Attention(), 4, CPU) == 2 * (16 * 16 * 8 + 16 * 16 * 8)


def test_what_torch_does_not_see_is_none() -> None:
    assert multiply_adds(nn.Identity(), 4, CPU) is None


def test_a_whole_network_is_the_sum_over_its_layers(tmp_path: Path) -> None:
    inference = untrained(tmp_path).inference
    net, px = inference.net, inference.model.input_px
    assert isinstance(net, nn.Module)
    counts: list[int] = []

    def note(layer: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        of = given[0] if isinstance(layer, nn.ConvTranspose2d) else made
        weight = layer.weight
        assert isinstance(weight, Tensor)
        counts.append(of[0, 0].numel() * weight.numel())

    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            layer.register_forward_hook(note)
    found = multiply_adds(net, px, CPU)
    assert len(counts) > 10
    assert found == sum(counts)
