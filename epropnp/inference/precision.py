"""Mixed precision of backbone and head; the pose layer always computes in float32."""

import contextlib

import torch

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(
    device: torch.device, precision: str, cache: bool = True
) -> contextlib.AbstractContextManager[object]:
    """The autocast context of a precision setting; `cache`: rounded weights are kept while it lasts."""
    if precision in HALF:
        return torch.autocast(device.type, HALF[precision], cache_enabled=cache)
    return contextlib.nullcontext()


def grad_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """Scales the loss so that gradients do not vanish in float16; does nothing in other precisions."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")
