"""`torch.compile` as an option that never fails: where it cannot work, the function runs as it is."""

import logging
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

import torch

from epropnp.errors import first_line

Function = TypeVar("Function", bound=Callable[..., Any])

_log = logging.getLogger(__name__)

# Inductor writes an intermediate to memory once it has been read a few times; recomputing it in registers
# is several times faster than a second pass over (S, B, N).
_KEEP_IN_REGISTERS: dict[str, str | int | bool | Callable[..., Any]] = {
    "realize_reads_threshold": 10_000,
    "realize_opcount_threshold": 10_000,
    "realize_acc_reads_threshold": 10_000,
}


def compiled(function: Function, enabled: bool, in_registers: bool = False) -> Function:
    """A compiled version of a pure function, or the function itself unless `enabled`.

    Sizes of tensors may change from call to call. `in_registers` is for elementwise functions that end in
    sums: nothing in between is stored. The first call takes some seconds. Where compilation fails, for
    want of a C++ compiler for example, the reason is logged once and the function itself runs from then on.
    """
    return _compiled(function, in_registers) if enabled else function


@cache
def _compiled(function: Function, in_registers: bool) -> Function:
    options = _KEEP_IN_REGISTERS if in_registers else None
    return compiled_or_plain(function, dynamic=True, options=options)


def compiled_or_plain(function: Function, **options: Any) -> Function:
    """`torch.compile(function, **options)`, which turns into `function` itself where compilation fails."""
    fast: Callable[..., Any] | None = torch.compile(function, **options)

    @wraps(function)
    def run(*args: Any) -> Any:
        nonlocal fast
        if fast is not None:
            try:
                return fast(*args)
            except Exception as error:  # the compilers below raise anything
                name = getattr(function, "__name__", type(function).__name__)
                _log.warning("%s runs without torch.compile: %s", name, first_line(error))
                fast = None
        return function(*args)

    return run  # type: ignore[return-value]
