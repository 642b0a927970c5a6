"""What could be trained: a sweep's networks with size, cost and recipe, and timm's backbones by wildcard.

The first is Table 1 of the report when the recipe is `paper`. Networks are built without memory: nothing is
downloaded, allocated or trained.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from epropnp.errors import UserError
from epropnp.models.backbones import Backbone, feature_levels, list_backbones
from epropnp.models.heads import fitting_heads
from epropnp.models.network import CorrespondenceNet
from epropnp.plain import flatten
from epropnp.training.config import LossConfig, OptimConfig, TrialConfig

MEASURED_AT_MOST = 25  # backbones listed with their strides and sizes; more are listed by name only
LISTED_PX = 256
FOLDED = ("recipe", "schedule", "loss")
LEGEND = (
    "channels: of the feature maps that the head reads, @ their strides. parameters and GFLOPs: of the whole "
    "network; one crop, forward, a multiplication and an addition count as two."
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """One row of Table 1.

    Attributes:
        recipe: name.
        architecture: timm name.
        head: name, and the width of its layers if it has any.
        channels: widths of the feature maps that the head reads, `width@stride`.
        parameters: of backbone, head and readouts.
        gflops: 1e9 floating-point operations per crop, forward.
        resolution: sides of the crop and of the output maps, px.
        pretrained: whether training starts from ImageNet weights.
        schedule, loss: in words.
    """

    recipe: str
    architecture: str
    head: str
    channels: str
    parameters: int
    gflops: float
    resolution: str
    pretrained: bool
    schedule: str
    loss: str


def describe(configs: Sequence[TrialConfig]) -> list[Description]:
    """One description per setting; trials that differ in the seed only share one. No weights are fetched."""
    settings = dict.fromkeys(dataclasses.replace(config, seed=0) for config in configs)
    return [_describe(config) for config in settings]


def show_descriptions(rows: Sequence[Description], title: str, console: Console) -> None:
    """Print descriptions as a table; a recipe, schedule or loss that all rows share moves to the caption."""
    texts = [_texts(row) for row in rows]
    shared = [name for name in FOLDED if len({text[name] for text in texts}) == 1]
    caption = [f"{name}: {texts[0][name]}." for name in shared]
    table = Table(
        title=title,
        caption="\n".join([*caption, LEGEND]),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    columns = [name for name in texts[0] if name not in shared]
    for name in columns:
        right = name in ("parameters", "GFLOPs")
        table.add_column(name, justify="right" if right else "left", no_wrap=name == "architecture")
    for text in texts:
        table.add_row(*(text[name] for name in columns))
    console.print(table)


def show_backbones(pattern: str, console: Console) -> None:
    """Print the timm models that match a wildcard; few of them with strides, widths, size and heads.

    Raises:
        UserError: none matches.
    """
    names = list_backbones(pattern)
    if not names:
        raise UserError(f"--list-backbones: no timm model matches '{pattern}'; '*' lists all")
    if len(names) > MEASURED_AT_MOST:
        for name in names:
            console.print(name, highlight=False)
        hint = f"strides, widths and sizes are shown for at most {MEASURED_AT_MOST}: narrow the pattern"
        console.print(f"{len(names)} models; {hint}", highlight=False)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("backbone", "width@stride", "parameters", "heads"):
        table.add_column(
            title, no_wrap=title == "backbone", justify="right" if title == "parameters" else "left"
        )
    for name in names:
        table.add_row(name, *_measure(name))
    console.print(table)


def _describe(config: TrialConfig) -> Description:
    model = dataclasses.replace(config.model, pretrained=False, released=None)
    with torch.device("meta"):
        net = CorrespondenceNet(model).eval()
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            net(torch.empty(1, 3, model.input_px, model.input_px))
    own_layers = any(True for _ in net.head.parameters())
    return Description(
        recipe=config.recipe,
        architecture=model.backbone,
        head=f"{model.head} x {model.head_width}" if own_layers else model.head,
        channels=_channels([(level.channels, level.stride) for level in net.backbone.levels]),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        gflops=counter.get_total_flops() / 1e9,
        resolution=f"{model.input_px} -> {model.map_px}",
        pretrained=config.model.pretrained,
        schedule=_schedule(config.optim),
        loss=_loss(config.loss),
    )


def _measure(name: str) -> tuple[str, str, str]:
    try:
        levels = feature_levels(name, LISTED_PX)
        with torch.device("meta"):
            net = Backbone(name, strides=[level.stride for level in levels], input_px=LISTED_PX)
    except UserError as error:
        return str(error), "", ""
    millions = sum(parameter.numel() for parameter in net.parameters()) / 1e6
    heads = ", ".join(fitting_heads([level.stride for level in levels]))
    return _channels([(level.channels, level.stride) for level in levels]), f"{millions:.2f} M", heads


def _texts(row: Description) -> dict[str, str]:
    """The cells of a row by column title."""
    return {
        "recipe": row.recipe,
        "architecture": row.architecture,
        "head": row.head,
        "channels": row.channels,
        "parameters": f"{row.parameters / 1e6:.2f} M",
        "GFLOPs": f"{row.gflops:.2f}",
        "resolution": row.resolution,
        "pretrained": "yes" if row.pretrained else "no",
        "schedule": row.schedule,
        "loss": row.loss,
    }


def _channels(levels: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{channels}@{stride}" for channels, stride in levels)


def _schedule(optim: OptimConfig) -> str:
    steps = f", /10 after {', '.join(map(str, optim.milestone_epochs))}" if optim.schedule == "step" else ""
    return (
        f"{optim.epochs} epochs of {optim.batch_size}, {optim.optimiser}, {optim.schedule} "
        f"from {optim.lr:g}{steps}"
    )


def _loss(loss: LossConfig) -> str:
    weights = {name: value for name, value in flatten(loss).items() if isinstance(value, float) and value}
    return " + ".join(name if weight == 1 else f"{weight:g} {name}" for name, weight in weights.items())
