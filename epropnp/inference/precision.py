"""Mixed precision of backbone and head; the pose layer always computes in float32."""

import contextlib

import torch

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(
    device: torch.device, precision: str, cache: bool = True
) -> contextlib.AbstractContextManager[object]:
    """The autocast context of a precision setting; `cache`: rounded weights are kept while it lasts."""
    half = HALF.get(computed(device, precision))
    if half is None:
        return contextlib.nullcontext()
    return torch.autocast(device.type, half, cache_enabled=cache)


def grad_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """Scales the loss so that gradients do not vanish in float16; does nothing in other precisions."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16")


def computed(device: torch.device, precision: str) -> str:
    """The precision that a device computes in: float32 for bf16 on a CPU that has no instructions for it.

    There a training step in bf16 takes four to nine times as long as one in float32.
    """
    return "float32" if precision == "bf16" and device.type == "cpu" and not cpu_has_bf16() else precision


def cpu_has_bf16() -> bool:
    """Whether this machine's CPU has instructions for bf16: AVX-512, or ARM's."""
    return torch.ops.mkldnn._is_mkldnn_bf16_supported()
