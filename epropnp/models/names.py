"""Names of backbones, as users of timm write them: `resnet34`, `resnet34.tv_in1k`, `timm/resnet34.tv_in1k`.

What follows the dot is the tag of weights. It says how and on what they were trained, and two tags of one
architecture can be further apart than two architectures: without one, timm chooses. The data of the tag is
the first thing to ask of a comparison: a network that has seen ImageNet-12k or -22k is no equal of one that
has seen the 1,000 classes alone.
"""

import re

_PREFIX = re.compile(r"^(?:hf[_-]hub:)?(?:timm/)?")
# Parts of tags that name data, by what timm has; the rest are ways to train, sizes and authors.
_DATA = re.compile(
    r"in\d+k|inw21k|lvd\d+m|laion\w*|jft|ig1b|openai|datacomp\w*|dfn\w*|metaclip\w*|merged2b|sa1b|sail|webli|"
    r"yfcc15m|cc12m|m38m|m30m|s39b|gap|bamboo\w*|idstcv|insta|plus"
)


def plain_name(name: str) -> str:
    """The name without the prefixes of timm's hub."""
    return _PREFIX.sub("", name)


def architecture(name: str) -> str:
    """What stands before the tag."""
    return name.partition(".")[0]


def tag_of(name: str) -> str:
    """The tag; empty without one."""
    return name.partition(".")[2]


def pretraining_data(tag: str) -> str:
    """The data that a tag names, such as `in1k`, or `in12k + in1k` for one after the other; else the tag."""
    found = [part for part in tag.split("_") if _DATA.fullmatch(part)]
    return " + ".join(found) or tag
