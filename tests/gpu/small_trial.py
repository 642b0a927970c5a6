"""What the tests of devices share: a small trial, batches, a network that begins near the truth."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from epropnp.data.dataset import Batch
from epropnp.inference.config import EvaluationConfig
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet, Prediction
from epropnp.pnp import PnPConfig
from epropnp.training.config import DataConfig, LossConfig, OptimConfig, TrialConfig
from epropnp.training.data import TrialData

TINY = TrialConfig(
    model=ModelConfig(backbone="test_resnet", input_px=64, deconv_stride=16, head_width=16, weight_norm="v2"),
    # Which random points a proposal takes depends on their order, and that on the device.
    pnp=PnPConfig(rslm_proposals=0),
    loss=LossConfig(deriv_t=1.0, deriv_r=0.2, symmetric=True),
    optim=OptimConfig(optimiser="adamw", lr=1e-3, clip_norm=5.0, batch_size=16),
    data=DataConfig(points=64),
    evaluation=EvaluationConfig(proposals=32, batch_size=5),
)


class DrawnOnTheCpu(TorchFunctionMode):
    """Random numbers come from one generator of the CPU: the same for all devices."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in (torch.rand, torch.randn):
            return func(*args, **kwargs)
        here = func(*args, **kwargs | {"device": "cpu", "generator": self.generator})
        return here.to(kwargs.get("device", "cpu"))


def first_batch(dataset: Path, config: TrialConfig, device: str) -> Batch:
    """The first augmented training batch, on the device."""
    (batch,) = next(TrialData(config, dataset, torch.device(device)).batches(1))
    return batch


def images_of(model: ModelConfig, count: int = 4) -> torch.Tensor:
    """Noise of all scales, (B, 3, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    sides = [model.input_px >> k for k in range(5)]
    layers = [torch.rand(count, 3, side, side, generator=generator) for side in sides]
    whole = [torch.nn.functional.interpolate(layer, sides[0], mode="bilinear") for layer in layers]
    return torch.stack(whole).mean(0)


def random_net(config: ModelConfig) -> CorrespondenceNet:
    """On the CPU, the same weights each time; nothing in it vanishes or grows without bounds.

    Readouts that begin at zero would hide differences, batch statistics of no batch let float16 overflow.
    """
    torch.manual_seed(0)
    net = CorrespondenceNet(config)
    for readout in (net.output, net.scale):
        nn.init.normal_(readout.weight, std=0.01)
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # the statistics are those of the last batch seen
    with torch.no_grad():
        net.train()(images_of(config))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    return net


def moved(net: nn.Module, device: str) -> Any:
    """A copy on the device, in the trainer's memory format: on a CPU, too, other kernels run then."""
    return copy.deepcopy(net).to(device).to(memory_format=torch.channels_last)


def near_truth(prediction: Prediction, batch: Batch) -> Prediction:
    """The network's maps as corrections of the true ones, with noise: a plausible state of a training."""
    noise = torch.randn(batch.coords.shape, generator=torch.Generator().manual_seed(1)).to(batch.coords)
    trust = torch.where(batch.mask[:, None], 0.0, -10.0)
    return replace(
        prediction,
        coords=prediction.coords + batch.coords + 0.02 * noise,
        weight_logits=prediction.weight_logits + trust,
    )


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Root mean square of the difference, relative to that of what is expected."""
    difference = found.detach().cpu().double() - expected.detach().cpu().double()
    return float(
        torch.linalg.vector_norm(difference) / torch.linalg.vector_norm(expected.detach().double().cpu())
    )
