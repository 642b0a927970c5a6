"""Starting a training from a network of one's own: the `best.pt` of an earlier trial, on whatever data."""

from pathlib import Path

import torch
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.models.config import BEST, own_file
from epropnp.models.state_fit import check_fit

_ADVICE = "backbone, head and widths have to be those of that trial (see its trial.json)"


def load_own(net: nn.Module, start: str) -> None:
    """Load all weights of a network; nothing where it has no memory, as in a plan.

    Args:
        net: a `CorrespondenceNet` of the same backbone, head and widths.
        start: a trial's folder, or its `best.pt` or another checkpoint.

    Raises:
        UserError: no such file, a damaged one, or one of another network.
    """
    file = own_file(start)
    given, wanted = _read(file), net.state_dict()
    check_fit(given, wanted, file, _ADVICE)
    if not any(tensor.is_meta for tensor in wanted.values()):
        net.load_state_dict(given)


def _read(file: Path) -> dict[str, Tensor]:
    if not file.is_file():
        raise UserError(f"no file {file}: model.start takes a trial's folder, or its {BEST}")
    try:
        saved = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make an unpickler raise almost anything
        raise UserError(f"{file} cannot be read ({type(error).__name__}): copy it again") from error
    state = saved.get("net") if isinstance(saved, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(
            f"{file} is no checkpoint of a trial; a state dict of a backbone goes to model.weights_file, a "
            "checkpoint of the official code to model.released"
        )
    return state
