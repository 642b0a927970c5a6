"""What a network has seen before its training: the tag of its weights and the data of that tag."""

from typing import NamedTuple

from epropnp.models.config import ModelConfig
from epropnp.models.names import pretraining_data

NONE = "none"
UNKNOWN = "unknown"


class Pretraining(NamedTuple):
    """Where the weights come from that a training starts with.

    Attributes:
        tag: of timm's weights, or the file's name; `none` from scratch.
        data: what they were trained on, such as `in1k`; `unknown` of files.
    """

    tag: str
    data: str


def pretraining_of(model: ModelConfig) -> Pretraining:
    """What a network starts from, by its settings alone."""
    file = model.start or model.released or (model.weights_file if model.pretrained else None)
    if file is not None:
        return Pretraining(file.replace("\\", "/").rpartition("/")[2], UNKNOWN)
    if not model.pretrained:
        return Pretraining(NONE, NONE)
    from epropnp.models.backbones import weights_tag  # brings timm

    tag = weights_tag(model.backbone)
    return Pretraining(tag or UNKNOWN, pretraining_data(tag) or UNKNOWN)
