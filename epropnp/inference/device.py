"""Where a network computes: the device that is asked for, or an accelerator where there is one."""

import torch

from epropnp.errors import UserError


def chosen_device(name: str | None = None) -> torch.device:
    """The device of that name; None takes a CUDA device where there is one, else the CPU.

    Raises:
        UserError: there is no such device here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        here = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise UserError(f"device '{name}': there is no such device here (there is: {here})") from None
    return device
