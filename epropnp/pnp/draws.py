"""Random numbers for the objects of a batch: each object's own ones, or the same ones for all.

Own ones suit training. Where an answer is wanted, `SameDraws` make it that of the object alone: it depends
neither on the objects beside it, nor on their number, nor on the device.
"""

import torch
from torch import Tensor


class SameDraws:
    """The same random numbers for every object of a batch, whichever the device: they are drawn on the CPU.

    Args:
        seed: equal ones give equal numbers, call by call.
    """

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)


Randomness = torch.Generator | SameDraws | None
"""Where random numbers come from; a generator is on the device of the tensors, None is torch's own."""


def uniform(count: int, size: int, like: Tensor, generator: Randomness) -> Tensor:
    """Independent numbers (count, B, size) in [0, 1), of dtype and device of `like` (B, ...)."""
    if isinstance(generator, SameDraws):
        return _for_all(torch.rand(count, 1, size, dtype=like.dtype, generator=generator.generator), like)
    shape = (count, like.shape[0], size)
    return torch.rand(shape, dtype=like.dtype, device=like.device, generator=generator)


def normal(count: int, size: int, like: Tensor, generator: Randomness) -> Tensor:
    """Independent standard normal numbers (count, B, size), of dtype and device of `like` (B, ...)."""
    if isinstance(generator, SameDraws):
        return _for_all(torch.randn(count, 1, size, dtype=like.dtype, generator=generator.generator), like)
    shape = (count, like.shape[0], size)
    return torch.randn(shape, dtype=like.dtype, device=like.device, generator=generator)


def _for_all(drawn: Tensor, like: Tensor) -> Tensor:
    return drawn.to(like.device, non_blocking=True).expand(-1, like.shape[0], -1)
