"""Settings of the network, without torch: command lines answer before it is loaded."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from epropnp.errors import UserError, nearest
from epropnp.models.names import plain_name
from epropnp.settings import Range, Share

HEAD_NAMES = ("deconv", "direct", "fpn", "upsample")
WeightNorm = Literal["v1b", "v2"]
OUTPUT_STRIDE = 4  # of the output maps
BEST = "best.pt"  # a trial's network


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network is trained."""

    backbone: str = "resnet34"
    """Any timm model that gives feature maps, with or without a tag of weights (`resnet34.tv_in1k`); see
    --list-backbones of the sweep."""
    head: str = "deconv"
    """What turns the backbone's feature maps into one of stride 4: deconv, direct, fpn, upsample, or a class
    of yours, `my_heads.Sharp` (see `models.heads`)."""
    pretrained: bool = False
    """Start the backbone from ImageNet weights."""
    weights_file: str | None = None
    """Where the ImageNet weights are; `none`: in an installed package, or on timm's hub."""
    released: str | None = None
    """Checkpoint of the official code or of CDPN to start from."""
    start: str | None = None
    """Network of one's own to start from: a trial's folder, or its best.pt."""
    input_px: Annotated[int, Range(least=1)] = 256
    """Side of the square input crop."""
    deconv_stride: Annotated[int, Range(least=4)] = 32
    """Largest stride that a head reads; 32, 16, 8 give `deconv` 3, 2, 1 stages."""
    head_width: Annotated[int, Range(least=1)] = 256
    """Channels of the head's layers."""
    drop_path: Annotated[float | None, Range(least=0, below=1)] = None
    """Stochastic depth of the backbone's last block, growing from 0 at the first; `none`: timm's."""
    swin_window: Literal[7, 8] | None = None
    """Side of Swin's windows in cells; `none`: the one of its name."""
    weight_norm: WeightNorm = "v1b"
    """Normalisation and initialisation of the weight maps."""
    cell_anchor: Share = 0.5
    """Where in a map's cell its image point lies; networks of the official code: 0."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "backbone", plain_name(self.backbone))  # one network, one name
        checked_head(self.head)

    @property
    def starts_from_weights(self) -> bool:
        """Whether the backbone starts from weights that were trained elsewhere."""
        return self.pretrained or self.released is not None or self.start is not None

    @property
    def bare(self) -> "ModelConfig":
        """The same network, which starts from nothing: its weights come otherwise, or are not needed."""
        return dataclasses.replace(self, pretrained=False, weights_file=None, released=None, start=None)

    @property
    def map_px(self) -> int:
        """Side of the square output maps."""
        return self.input_px // OUTPUT_STRIDE


def own_file(start: str) -> Path:
    """The checkpoint that `start` stands for: a file, or that of a trial's folder."""
    path = Path(start)
    return path / BEST if path.is_dir() else path


def checked_head(name: str) -> str:
    """The head of that name, or one of a module, which is not looked for; a UserError names the nearest."""
    if name in HEAD_NAMES or "." in name.strip("."):
        return name
    listed = ", ".join(HEAD_NAMES)
    raise UserError(
        f"unknown head '{name}'{nearest(name, HEAD_NAMES)}; heads are {listed}, or MODULE.CLASS of your own"
    )
