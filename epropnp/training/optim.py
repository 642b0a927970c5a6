"""Optimiser and learning rate. The rate is a function of the step alone: a resume needs no schedule state."""

import math
from collections.abc import Iterable

import torch
from torch import nn

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
        passed = sum(step >= milestone * steps_per_epoch for milestone in config.milestones)
        return config.lr * 0.1**passed
    progress = (step + 1) / (config.epochs * steps_per_epoch)
    if progress < WARMUP:
        return config.lr * progress / WARMUP
    return config.lr * 0.5 * (1 + math.cos(math.pi * (progress - WARMUP) / (1 - WARMUP))) + 1e-3 * config.lr
