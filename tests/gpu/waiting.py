"""What finds operations that wait for an accelerator: by name on any device, by CUDA's own check on a GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# What reads a value on the host, or has a shape that depends on values.
WAITING = (
    *("_local_scalar_dense", "nonzero", "masked_select", "unique", "is_nonzero", "equal.default"),
    "_linalg_check_errors",
)


class NoWaiting(TorchDispatchMode):
    """Fails on any operation that would stall an accelerator's stream, or leave it."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device, self.seen = device, 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = str(func)
        assert not any(word in name for word in WAITING), f"{name} waits for the device"
        if "index" in name and "Tensor" in name:
            indices = [x for x in args[1] if x is not None]
            assert not any(x.dtype == torch.bool for x in indices), f"{name} with a boolean mask"
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            assert result.device.type == self.device, f"{name} leaves the device"
        self.seen += 1
        return result


@contextmanager
def cuda_waits_are_errors() -> Iterator[None]:
    """CUDA raises RuntimeError where the host waits. First run once what is tested: loading kernels waits."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")
