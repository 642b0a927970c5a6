"""The uniform numbers that samples are made of: pseudo-random, or quasi-random for less variance."""

import torch
from torch import Tensor

from epropnp.pnp import draws
from epropnp.pnp.draws import Randomness


def random_uniforms(count: int, size: int, like: Tensor, generator: Randomness) -> Tensor:
    """Independent numbers (count, B, size) in (0, 1), for `like` (B, ...)."""
    return _open(draws.uniform(count, size, like, generator))


def quasi_uniforms(start: int, count: int, size: int, like: Tensor, generator: Randomness) -> Tensor:
    """Numbers `start` to `start + count` of a low-discrepancy sequence, (count, B, size) in (0, 1).

    Kronecker's sequence `frac(i a)` with the powers of the generalised golden ratio (Roberts 2018). A
    random shift per object and dimension makes every number uniform, so that means over them are
    unbiased (Cranley and Patterson 1976).
    """
    ratio = 1.5
    for _ in range(50):
        ratio = (1 + ratio) ** (1 / (size + 1))  # the root of x^(size + 1) = x + 1
    step = torch.arange(1, size + 1, dtype=torch.float64, device=like.device).neg()
    index = torch.arange(start, start + count, dtype=torch.float64, device=like.device)
    lattice = (index[:, None] * (ratio**step)).frac().to(like.dtype)  # (count, size)
    shift = draws.uniform(1, size, like, generator)
    return _open((lattice[:, None] + shift).frac())


def _open(uniform: Tensor) -> Tensor:
    """Neither 0 nor 1, which the inverse of a distribution function would send to infinity."""
    epsilon = torch.finfo(uniform.dtype).eps / 4
    return uniform.clamp(epsilon, 1 - 2 * epsilon)
