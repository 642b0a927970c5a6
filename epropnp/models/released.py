"""Weights of the official EPro-PnP 6DoF code and of CDPN, for our ResNet-34 with the 3-stage `deconv` head.

| theirs                                | ours                                                          |
|---------------------------------------|---------------------------------------------------------------|
| `backbone.*` (torchvision's names)    | `backbone.net.*`; the first layer from BGR to RGB             |
| input: BGR in [0, 1], not normalised  | `backbone.mean` 0, `backbone.std` 1                           |
| `rot_head_net.features.N.*`, N < 27   | `head.stages.N.*`, the layers in the same order               |
| `rot_head_net.out_layer.*`            | `output.*`: three coordinates, two weight maps                |
| `rot_head_net.scale_branch.*`         | `scale.*`, whose exponential is the scale, theirs too         |
| `monte_carlo_pose_loss.norm_factor`   | returned: it belongs to the loss                              |
| `trans_head_net.*`                    | none: the pose layer gives the translation                    |
| `rot_head_net.features.27.*` (CDPN)   | none: coordinates and one confidence. The readouts start      |
|                                       | anew, as the official `cdpn_init` runs do                     |

The official code places a cell's image point at its top-left corner: run these weights with
`model.cell_anchor` 0. (Its first stage of CDPN, trained further here, learns the centre by itself.)

Anything else in the file, and anything of ours that the file should hold and does not, is an error.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.models.pretrained import read_state
from epropnp.models.state_fit import check_fit

HEAD = "rot_head_net.features."
CDPN_READOUT = HEAD + "27."
IGNORED = ("trans_head_net.", CDPN_READOUT)
_HINT = "it fits model.backbone resnet34, head deconv, deconv_stride 32, head_width 256"
OFFICIAL_ANCHOR = 0.0  # of a cell, where its image point lies: the top-left corner
NORM_FACTOR = "monte_carlo_pose_loss.norm_factor"
RENAMED = {
    "backbone.": "backbone.net.",
    HEAD: "head.stages.",
    "rot_head_net.out_layer.": "output.",
    "rot_head_net.scale_branch.": "scale.",
}
READOUTS = ("output.", "scale.")  # what a CDPN checkpoint does not have


class Released(NamedTuple):
    """What a released checkpoint held beside the network's weights.

    Attributes:
        norm_factor: running scale of the Monte Carlo loss; None in a CDPN checkpoint.
        loaded: number of tensors taken over.
        ignored: names of the tensors of the translation head, and of CDPN's readout.
        cell_anchor: that the network was trained with; None in a CDPN checkpoint, whose readouts start anew.
    """

    norm_factor: float | None
    loaded: int
    ignored: tuple[str, ...]
    cell_anchor: float | None = None

    @property
    def summary(self) -> str:
        """What was taken over and what was not, in words."""
        counts = [(prefix, sum(key.startswith(prefix) for key in self.ignored)) for prefix in IGNORED]
        left = ", ".join(f"{count} of {prefix}*" for prefix, count in counts if count)
        return f"{self.loaded} tensors taken over; left out: {left or 'none'}"


def load_released(net: nn.Module, file: str | Path) -> Released:
    """Load a checkpoint of the official code, or of CDPN's first stage, into our network.

    Args:
        net: a `CorrespondenceNet` of `resnet34` with head `deconv`, 3 stages of width 256.
        file: as the official `save_model` writes it, `{"state_dict": ...}`, or the bare state dict.

    Raises:
        UserError: no such file, one that holds more than tensors, tensors without a counterpart or of
            another shape, or missing ones. Counters of batches may be missing: torch before 0.4.1 had none.
    """
    given = _read(Path(file))
    wanted = net.state_dict()
    weights = _not_in_files(wanted)
    ignored = tuple(key for key in given if key.startswith(IGNORED))
    for key, tensor in given.items():
        if key not in (*ignored, NORM_FACTOR):
            weights[_rename(key, file)] = tensor.flip(1) if key == "backbone.conv1.weight" else tensor
    cdpn = any(key.startswith(CDPN_READOUT) for key in given)
    if cdpn:
        weights |= {key: value for key, value in wanted.items() if key.startswith(READOUTS)}
    check_fit(weights, wanted, file, _HINT)
    if not any(tensor.is_meta for tensor in wanted.values()):  # a trial plan builds networks without memory
        net.load_state_dict(weights)
    factor = float(given[NORM_FACTOR]) if NORM_FACTOR in given else None
    loaded = len(given) - len(ignored) - (factor is not None)
    return Released(factor, loaded, ignored, None if cdpn else OFFICIAL_ANCHOR)


def _not_in_files(wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Input statistics of an image that is not normalised, and our counters of batches."""
    mean, std = wanted["backbone.mean"], wanted["backbone.std"]
    statistics = {"backbone.mean": torch.zeros_like(mean), "backbone.std": torch.ones_like(std)}
    return statistics | {key: value for key, value in wanted.items() if key.endswith(".num_batches_tracked")}


def _read(file: Path) -> Mapping[str, Tensor]:
    state = read_state(file)
    if not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{file}: no state dict; expected {{'state_dict': ...}} as the official code saves")
    return state


def _rename(key: str, file: str | Path) -> str:
    for theirs, ours in RENAMED.items():
        if key.startswith(theirs):
            return ours + key.removeprefix(theirs)
    raise UserError(f"{file}: '{key}' is not part of the official ResNet-34 network or of CDPN's first stage")
