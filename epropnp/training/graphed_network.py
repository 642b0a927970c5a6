"""On CUDA, the network in training as two graphs, of its forward and its backward pass.

Networks of many small kernels, HRNet's above all, take a host longer to launch than a GPU to compute.
Recorded once for the images of a training, they are launched at once: the same kernels on the same images,
hence the same results.
"""

import logging
import warnings
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from epropnp.errors import first_line
from epropnp.inference.precision import autocast
from epropnp.models.network import CorrespondenceNet, Prediction
from epropnp.pnp.compiled import compiled_or_plain
from epropnp.training.config import TrialConfig

Predict = Callable[[Tensor], Prediction]

_log = logging.getLogger(__name__)


def as_trained(net: CorrespondenceNet, config: TrialConfig) -> Predict:
    """The network as a trial trains it: compiled if the config asks for that, as graphs if it can be."""
    optim, side = config.optim, config.model.input_px
    images = torch.Size((optim.batch_size // optim.accumulate, 3, side, side))
    return graphed_network(net, compiled_or_plain(net) if optim.compile else net, images, optim.precision)


def graphed_network(net: CorrespondenceNet, predict: Predict, images: torch.Size, precision: str) -> Predict:
    """The network in training mode, as graphs where its device can replay them.

    Call it before processes or threads load data: nothing else may use CUDA while it records. Where CUDA
    refuses to record, the reason is logged, and every kernel is launched by itself.

    Args:
        net: on its device; the network's state is what it was, and may be loaded later.
        predict: the network, or a compiled version of it.
        images: (B, 3, H, W) of all batches that will come; others go to `predict`.
        precision: of backbone and head.
    """
    device = next(net.parameters()).device
    if device.type != "cuda":
        return predict
    # The recording's stream stays that of the gradients' sums, which costs nothing.
    warnings.filterwarnings("ignore", "The AccumulateGrad node's stream does not match")
    training, before = net.training, [buffer.clone() for buffer in net.buffers()]
    try:
        with torch.random.fork_rng([device]):
            sample = torch.zeros(images, device=device).to(memory_format=torch.channels_last)
            outputs = _Outputs(net.train(), predict, precision)
            run = cast(
                Callable[[Tensor], tuple[Tensor, ...]],
                torch.cuda.make_graphed_callables(outputs, (sample,), allow_unused_input=True),
            )
    except Exception as error:  # CUDA and the libraries above raise anything
        _log.warning(
            "the network runs kernel by kernel, for no graph of it can be made: %s", first_line(error)
        )
        return predict
    finally:
        net.train(training)
        for buffer, value in zip(net.buffers(), before, strict=True):
            buffer.copy_(value)
    return lambda image: Prediction(*run(image)) if image.shape == images else predict(image)


class _Outputs(nn.Module):
    """The network with its outputs as a tuple; that it is in training is its own state, not the network's."""

    def __init__(self, net: CorrespondenceNet, predict: Predict, precision: str) -> None:
        super().__init__()
        self.net, self.predict, self.precision = net, predict, precision

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        # Without autocast's cache of weights: a cached one would be that of the recording.
        with autocast(image.device, self.precision, cache=False):
            return tuple(vars(self.predict(image)).values())
