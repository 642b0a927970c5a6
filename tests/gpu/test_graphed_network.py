"""The network as CUDA graphs gives what it gives kernel by kernel, to which it gives way where it must."""

import copy
import logging
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from epropnp.inference.precision import autocast
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet
from epropnp.training.graphed_network import Predict, graphed_network
from tests.gpu.small_trial import TINY, images_of, moved, random_net

SIZES = torch.Size((4, 3, 64, 64))
DEEP = replace(TINY.model, backbone="convnext_atto", drop_path=0.5, deconv_stride=32)


def steps(net: CorrespondenceNet, predict: Predict, precision: str) -> list[dict[str, Tensor]]:
    """Outputs, gradients and buffers of two training steps whose random numbers are given."""
    found = []
    for seed in (1, 2):
        net.zero_grad()
        torch.manual_seed(seed)
        image = images_of(TINY.model).cuda().flip(seed).to(memory_format=torch.channels_last)
        with autocast(image.device, precision):
            out = vars(predict(image))
        torch.stack([x.square().mean() for x in out.values()]).sum().backward()
        named = out | {f"gradient of {name}": p.grad for name, p in net.named_parameters()}
        named |= dict(net.named_buffers()) | {"random": torch.rand(3, device="cuda")}
        found.append({name: value.detach().clone() for name, value in named.items()})
    return found


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
@pytest.mark.parametrize("model", [TINY.model, DEEP], ids=["norms-of-batches", "stochastic-depth"])
def test_replayed_outputs_gradients_and_state_are_those_of_single_kernels(
    model: ModelConfig, precision: str
) -> None:
    net = moved(random_net(model), "cuda").train()
    other = copy.deepcopy(net)
    before = copy.deepcopy(other.state_dict())
    torch.manual_seed(7)
    run = graphed_network(other, other, SIZES, precision)
    drawn = torch.rand(2, device="cuda")
    assert run is not other
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())
    torch.manual_seed(7)
    assert torch.equal(drawn, torch.rand(2, device="cuda"))  # recording drew nothing
    expected, found = steps(net, net, precision), steps(other, run, precision)
    exact = precision == "float32"
    for one, two in zip(expected, found, strict=True):
        for name, value in one.items():
            scale = float(value.double().abs().max()) or 1.0
            apart = float((two[name].double() - value.double()).abs().max()) / scale
            assert apart < (1e-3 if exact else 3e-2), name
    assert not torch.equal(expected[0]["coords"], expected[1]["coords"])


@pytest.mark.gpu
def test_weights_loaded_later_count_and_other_sizes_run_too() -> None:
    net = moved(random_net(TINY.model), "cuda").train()
    run = graphed_network(net, net, SIZES, "float32")
    image = images_of(TINY.model).cuda()
    before = run(image).coords.clone()
    parameters = dict(net.named_parameters())
    net.load_state_dict(net.state_dict() | {name: 0 * value.detach() for name, value in parameters.items()})
    assert not torch.equal(run(image).coords, before)
    assert float(run(image).coords.abs().max()) == 0
    assert len(run(image[:2]).coords) == 2


@pytest.mark.gpu
def test_what_cannot_be_recorded_runs_kernel_by_kernel(caplog: pytest.LogCaptureFixture) -> None:
    net = moved(random_net(TINY.model), "cuda").train()

    def waits(image: Tensor) -> Any:
        float(image.mean())
        return net(image)

    with caplog.at_level(logging.WARNING):
        run = graphed_network(net, waits, SIZES, "float32")
    assert run is waits
    assert [r.message.startswith("the network runs kernel by kernel") for r in caplog.records] == [True]
    torch.testing.assert_close(run(images_of(TINY.model).cuda()).coords.isfinite().all().item(), True)


def test_without_cuda_it_is_the_network_itself() -> None:
    net = random_net(TINY.model)
    assert graphed_network(net, net, SIZES, "bf16") is net
