"""Mixed precision of backbone and head; the pose layer always computes in float32."""

import contextlib

import torch


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[object]:
    """The autocast context of a precision setting."""
    if precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
