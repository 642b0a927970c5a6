"""Whether a state dict is one of a network, told by the first tensor that is not."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from epropnp.errors import UserError


def check_fit(given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: str | Path, hint: str) -> None:
    """UserError, ending in the hint, where names or shapes of tensors differ from those wanted."""
    unknown = sorted(given.keys() - wanted.keys())
    missing = sorted(wanted.keys() - given.keys())
    if unknown or missing:
        what = f"{unknown[0]} has no counterpart" if unknown else f"{missing[0]} is missing"
        raise UserError(f"{file}: {what} ({len(unknown)} unknown, {len(missing)} missing tensors); {hint}")
    for key, tensor in given.items():
        if tensor.shape != wanted[key].shape:
            shapes = f"{tuple(tensor.shape)}, ours {tuple(wanted[key].shape)}"
            raise UserError(f"{file}: {key} has shape {shapes}; {hint}")
