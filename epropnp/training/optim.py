"""From gradients to new weights: optimiser, learning rate, clipping, loss scaling, averaged weights.

The learning rate is a function of the step alone: a resume needs no schedule state.
"""

import math
from collections.abc import Iterable
from typing import Any, cast

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from epropnp.inference.precision import grad_scaler
from epropnp.models.network import CorrespondenceNet
from epropnp.training.config import OptimConfig

WARMUP = 0.15  # fraction of a one-cycle schedule spent rising


def make_optimiser(modules: Iterable[nn.Module], config: OptimConfig) -> torch.optim.Optimizer:
    """RMSprop as in the report (alpha 0.99, eps 1e-8), or AdamW with decay on matrices and kernels only."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    if config.optimiser == "rmsprop":
        return torch.optim.RMSprop(
            parameters, lr=config.lr, alpha=0.99, eps=1e-8, weight_decay=config.weight_decay
        )
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.99))


def learning_rate(config: OptimConfig, step: int, steps_per_epoch: int) -> float:
    """The rate of one step, counted from 0 over the whole training."""
    if config.schedule == "step":
        passed = sum(step >= milestone * steps_per_epoch for milestone in config.milestone_epochs)
        return config.lr * 0.1**passed
    progress = (step + 1) / (config.epochs * steps_per_epoch)
    if progress < WARMUP:
        return config.lr * progress / WARMUP
    return config.lr * 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP))) + 1e-3 * config.lr


class Updates:
    """Applies updates to a network and its objective, and keeps the average of the network's weights.

    Args:
        net: its weights are averaged.
        objective: its parameters, if any, are trained along.
        config: of the optimiser.
        steps_per_epoch: for the schedule.
    """

    def __init__(
        self, net: CorrespondenceNet, objective: nn.Module, config: OptimConfig, steps_per_epoch: int
    ) -> None:
        self.net, self.config, self.steps_per_epoch = net, config, steps_per_epoch
        self.optimiser = make_optimiser([net, objective], config)
        self._parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        self.scaler = grad_scaler(next(net.parameters()).device, config.precision)
        self.average = None if config.ema is None else ModelEmaV3(net, decay=config.ema, use_warmup=True)

    @property
    def evaluated(self) -> CorrespondenceNet:
        """The network to evaluate: that of the averaged weights, if there are any."""
        return self.net if self.average is None else cast(CorrespondenceNet, self.average.module)

    def start(self, step: int) -> float:
        """Prepare update `step`, counted from 0; returns its learning rate."""
        rate = learning_rate(self.config, step, self.steps_per_epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        return rate

    def backward(self, loss: Tensor) -> None:
        """Add the gradient of one of the batch's parts, whose mean is minimised."""
        self.scaler.scale(loss / self.config.accumulate).backward()

    def clip(self) -> Tensor:
        """Norm of the gradient, on the device; the gradient is clipped to the config's limit."""
        self.scaler.unscale_(self.optimiser)
        limit = self.config.clip_norm or float("inf")
        return torch.nn.utils.clip_grad_norm_(self._parameters, limit)

    def apply(self, step: int) -> None:
        """Update the weights and their average."""
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.average is not None:
            self.average.update(self.net, step=step + 1)

    def leave_out(self) -> None:
        """Forget an update after `clip`; in fp16, a gradient that is not finite lowers the loss scale."""
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, loss scale and averaged weights."""
        average = {} if self.average is None else {"average": self.average.module.state_dict()}
        return {"optimiser": self.optimiser.state_dict(), "scaler": self.scaler.state_dict(), **average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.module.load_state_dict(state["average"])
