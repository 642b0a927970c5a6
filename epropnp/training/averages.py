"""An epoch's metrics: sums over its updates, which stay on the device until its end."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from epropnp.losses.algebra import LossValue
from epropnp.training.result import Metrics

UPDATES = "updates"  # how many were counted


def counted(
    sums: Mapping[str, Tensor], losses: Sequence[LossValue], norm: Tensor, rate: float
) -> dict[str, Tensor]:
    """The sums with one more update, of whose parts these are the losses."""
    values = {UPDATES: torch.ones(()), "lr": torch.tensor(rate), "grad_norm": norm}
    for loss in losses:
        named = {"loss": loss.total}
        named |= {f"loss_{name}": value for name, value in loss.raw.items()}
        named |= {f"weighted_{name}": value for name, value in loss.weighted.items()}
        for name, value in named.items():
            values[name] = values.get(name, 0) + value.detach() / len(losses)
    return {name: value + sums.get(name, 0) for name, value in values.items()}


def means(sums: Mapping[str, Tensor]) -> Metrics:
    """Of the updates that were counted, by the names that reports have."""
    updates = float(sums[UPDATES])
    return {f"train/{name}": float(total) / updates for name, total in sums.items() if name != UPDATES}
