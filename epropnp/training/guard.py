"""Keeps losses and gradients that are not finite out of the weights; says what, where, and when to stop."""

import logging
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from epropnp.losses.algebra import LossValue
from epropnp.training.halt import SettingsError

NAMED = 8  # samples of a batch that a message lists
ADVICE = "lower the learning rate, clip gradients, or let some updates be skipped (optim.skip_limit)"
_log = logging.getLogger(__name__)


class NonFiniteError(SettingsError):
    """A loss or gradient became infinite or NaN, more often than the config allows."""

    kind = "diverged"


class Guard:
    """Undoes what a forward pass that is not finite left behind, and counts.

    Args:
        modules: whose buffers, such as batch statistics, a skipped update must not change.
        limit: updates that may be skipped.
    """

    def __init__(self, modules: Iterable[nn.Module], limit: int) -> None:
        self.limit = limit
        self._buffers = [buffer for module in modules for buffer in module.buffers()] if limit else []
        self._before = [torch.empty_like(buffer) for buffer in self._buffers]
        self._alike = [self._of_type(dtype) for dtype in {buffer.dtype for buffer in self._buffers}]

    def remember(self) -> None:
        """Call before each update's forward pass."""
        for before, buffers in self._alike:
            torch._foreach_copy_(before, buffers)

    def _of_type(self, dtype: torch.dtype) -> tuple[list[Tensor], list[Tensor]]:
        """Copies and buffers of one type: a few kernels copy them, in place of one per buffer."""
        return [b for b in self._before if b.dtype == dtype], [b for b in self._buffers if b.dtype == dtype]

    def refuse(
        self, parts: Sequence[LossValue], norm: Tensor, samples: Sequence[str], step: int, skipped: int
    ) -> None:
        """Leave out an update: its batch statistics are forgotten.

        Args:
            parts: losses of the batch's parts.
            norm: of the gradient.
            samples: names of the batch's samples.
            step: the update, counted from 0.
            skipped: updates left out before.

        Raises:
            NonFiniteError: more than the limit are left out now.
        """
        for buffer, before in zip(self._buffers, self._before, strict=True):
            buffer.copy_(before)
        message = _message(parts, norm, samples, step, skipped)
        if skipped + 1 > self.limit:
            raise NonFiniteError(f"{message}; {ADVICE}")
        _log.warning("left out: %s", message)


def _message(
    parts: Sequence[LossValue], norm: Tensor, samples: Sequence[str], step: int, skipped: int
) -> str:
    values = {
        name: next((v for v in found if not math.isfinite(v)), found[0])
        for name in parts[0].raw
        for found in [[float(part.raw[name].detach()) for part in parts]]
    }
    guilty = [name for name, value in values.items() if not math.isfinite(value)] or ["the gradient"]
    listed = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
    more = f" and {len(samples) - NAMED} more" if len(samples) > NAMED else ""
    before = f", after {skipped} skipped ones" if skipped else ""
    return (
        f"{' and '.join(guilty)} not finite at update {step}{before} ({listed}; gradient norm "
        f"{float(norm):.4g}); samples {', '.join(samples[:NAMED])}{more}"
    )
