"""How much a network computes for an image: multiply-adds, which tables of networks call FLOPs.

Counted by torch while the network runs: convolutions, matrix products and attention. Torch counts a
multiply-add as two operations, published tables as one. Norms, activations and resizing are not counted, in
those tables neither.
"""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@torch.no_grad()
def multiply_adds(net: nn.Module, input_px: int, device: torch.device) -> int | None:
    """Of the network for one picture (3, `input_px`, `input_px`); None where torch does not see its parts.

    Args:
        net: on the device; it is left in evaluation mode.
        input_px: side of its crops.
        device: where it runs.
    """
    image = torch.zeros(1, 3, input_px, input_px, device=device)
    counter = FlopCounterMode(display=False)
    # Attention as products of matrices: torch counts none of its fused kernel for CPUs.
    with counter, sdpa_kernel(SDPBackend.MATH):
        net.eval()(image)
    return counter.get_total_flops() // 2 or None  # an export runs outside of torch
