"""What prediction needs beside the weights, as a text: it travels in files of other formats.

The text is JSON with the keys of `best.pt`; a tensor is its type, its shape and its bytes (C order,
little-endian) in base64. Reading it runs no code.
"""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from epropnp.errors import UserError

CARD = "epropnp"  # the name of the text in a file
TENSOR = {"dtype", "shape", "base64"}


def to_text(saved: dict[str, Any]) -> str:
    """Plain containers and tensors of `best.pt`, without its weights, as JSON."""
    return json.dumps(saved, default=_plain)


def from_text(text: str, path: Path) -> dict[str, Any]:
    """What `to_text` was given. UserError, naming the file, if the text is damaged."""
    try:
        saved = json.loads(text, object_hook=_tensors)
        if not isinstance(saved, dict):
            raise TypeError(f"it holds a {type(saved).__name__}")
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read ({type(error).__name__}): export the network again"
        ) from error
    return saved


def _plain(tensor: torch.Tensor) -> dict[str, Any]:
    array = tensor.detach().cpu().numpy()
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return {"dtype": array.dtype.name, "shape": array.shape, "base64": base64.b64encode(data).decode()}


def _tensors(row: dict[str, Any]) -> Any:
    if row.keys() != TENSOR:
        return row
    dtype = np.dtype(row["dtype"])
    data = np.frombuffer(base64.b64decode(row["base64"]), dtype.newbyteorder("<"))
    return torch.from_numpy(data.astype(dtype).reshape(row["shape"]))
