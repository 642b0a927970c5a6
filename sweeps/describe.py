"""What could be trained: a sweep's networks with size, cost and recipe, and timm's backbones by wildcard.

The first is Table 1 of the report when the recipe is `paper`. Networks are built without memory: nothing is
downloaded, allocated or trained.
"""

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from torch.utils.flop_counter import FlopCounterMode

from epropnp.errors import UserError
from epropnp.evaluation.table import Cell, Column, Table, millions, print_table, shared_texts
from epropnp.models.backbones import Backbone, feature_levels, list_backbones
from epropnp.models.config import ModelConfig
from epropnp.models.heads import fitting_heads
from epropnp.models.names import architecture
from epropnp.models.network import CorrespondenceNet
from epropnp.models.pretraining import pretraining_of
from epropnp.plain import flatten
from epropnp.training.config import LossConfig, OptimConfig, TrialConfig

MEASURED_AT_MOST = 25  # backbones listed with their strides and sizes; more are listed by name only
LISTED_PX = 256
FOLDED = ("recipe", "schedule", "loss")
LEGEND = (
    "channels: of the feature maps that the head reads, @ their strides. parameters and GFLOPs: of the whole "
    "network; one crop, forward, a multiplication and an addition count as two."
)

COLUMNS = (  # titles are the fields of a description
    Column("recipe"),
    Column("architecture", one_line=0),
    Column("head"),
    Column("channels"),
    Column("parameters", kind="number", text=millions),
    Column("GFLOPs", kind="number", text="{:.2f}".format),
    Column("resolution"),
    Column("weights"),
    Column("pretraining"),
    Column("schedule"),
    Column("loss"),
)
BACKBONE_COLUMNS = (
    Column("backbone", one_line=0),
    Column("width@stride"),
    Column("parameters", kind="number", text=millions, missing=""),
    Column("heads"),
)


@dataclass(frozen=True, kw_only=True)
class Description:
    """One row of Table 1.

    Attributes:
        recipe: name.
        architecture: timm name, without tag.
        head: name, and the width of its layers if it has any.
        channels: widths of the feature maps that the head reads, `width@stride`.
        parameters: of backbone, head and readouts.
        gflops: 1e9 floating-point operations per crop, forward.
        resolution: sides of the crop and of the output maps, px.
        weights: tag of those that training starts from, or their file.
        pretraining: data of those, such as `in1k`.
        schedule, loss: in words.
    """

    recipe: str
    architecture: str
    head: str
    channels: str
    parameters: int
    gflops: float
    resolution: str
    weights: str
    pretraining: str
    schedule: str
    loss: str


def describe(configs: Sequence[TrialConfig]) -> list[Description]:
    """One description per setting; trials that differ in the seed only share one. No weights are fetched."""
    settings = dict.fromkeys(dataclasses.replace(config, seed=0) for config in configs)
    return [_describe(config) for config in settings]


def parameters(config: TrialConfig) -> int:
    """Of its network, which is built without memory."""
    with torch.device("meta"):
        net = CorrespondenceNet(config.model.bare)
    return sum(parameter.numel() for parameter in net.parameters())


@functools.lru_cache(maxsize=256)
def gflops(model: ModelConfig) -> float:
    """1e9 floating-point operations of a network's forward pass, per crop; no weights are fetched."""
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad():
        net = CorrespondenceNet(model.bare).eval()
        with counter:
            net(torch.empty(1, 3, model.input_px, model.input_px))
    return counter.get_total_flops() / 1e9


def description_table(rows: Sequence[Description], title: str) -> Table:
    """A row per description; a recipe, schedule or loss that all of them share moves to the notes."""
    folding = [column for column in COLUMNS if column.title in FOLDED]
    shared = shared_texts(folding, _cells(rows, folding))
    columns = [column for column in COLUMNS if column.title not in shared]
    notes = [f"{name}: {text}." for name, text in shared.items()]
    return Table(title=title, columns=columns, rows=_cells(rows, columns), notes=[*notes, LEGEND])


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
            console.print(name, markup=False, highlight=False)
        hint = f"strides, widths and sizes are shown for at most {MEASURED_AT_MOST}: narrow the pattern"
        console.print(f"{len(names)} models; {hint}", highlight=False)
        return
    table = Table(columns=BACKBONE_COLUMNS, rows=[[name, *_measure(name)] for name in names])
    print_table(table, console)


def _describe(config: TrialConfig) -> Description:
    model = config.model.bare
    with torch.device("meta"):
        net = CorrespondenceNet(model)
    start = pretraining_of(config.model)
    own_layers = any(True for _ in net.head.parameters())
    return Description(
        recipe=config.recipe,
        architecture=architecture(model.backbone),
        head=f"{model.head} x {model.head_width}" if own_layers else model.head,
        channels=_channels([(level.channels, level.stride) for level in net.backbone.levels]),
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        gflops=gflops(model),
        resolution=f"{model.input_px} -> {model.map_px}",
        weights=start.tag,
        pretraining=start.data,
        schedule=_schedule(config.optim),
        loss=_loss(config.loss),
    )


def _measure(name: str) -> tuple[str, int | None, str]:
    try:
        levels = feature_levels(name, LISTED_PX)
        with torch.device("meta"):
            net = Backbone(name, strides=[level.stride for level in levels], input_px=LISTED_PX)
    except UserError as error:
        return str(error), None, ""
    parameters = sum(parameter.numel() for parameter in net.parameters())
    heads = ", ".join(fitting_heads([level.stride for level in levels]))
    return _channels([(level.channels, level.stride) for level in levels]), parameters, heads


def _cells(rows: Sequence[Description], columns: Sequence[Column]) -> list[list[Cell]]:
    return [[getattr(row, column.title.lower()) for column in columns] for row in rows]


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
