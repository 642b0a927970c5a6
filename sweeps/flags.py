"""The main job's flags: one frozen dataclass, turned into a command line by `epropnp.command_line`."""

import dataclasses
import math
import re
from pathlib import Path
from typing import Annotated, Any

import tyro

from epropnp.command_line import Pattern, YesNo
from epropnp.errors import UserError, nearest
from epropnp.training.overrides import read_settings
from epropnp.training.recipes import RECIPES
from pipelines.objects import resolve_objects


def _arg(metavar: str) -> Any:
    """A flag whose help names its own default."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint="")


Names = Annotated[tuple[str, ...] | None, _arg("NAME ...")]
Weights = Annotated[tuple[float, ...] | None, _arg("WEIGHT ...")]
Seeds = Annotated[tuple[int, ...], tyro.conf.arg(metavar="SEED ...")]
Folder = Annotated[Path | None, _arg("FOLDER")]
Text = Annotated[str | None, _arg("TEXT")]
Count = Annotated[int | None, _arg("N")]
Settings = tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], _arg("KEY=VALUE ...")]]
Recipes = Annotated[tuple[str, ...] | None, _arg(f"{{{','.join(RECIPES)}}} ...")]


DESCRIPTION = """Compare backbones on 6DoF object pose: build the data once, train one trial per
recipe x backbone x head x loss weight x seed, print one table, and say which setting is best.

Examples:
  python sweeps/backbones.py
      the recipe that fits this machine, on rendered stand-ins of the LineMOD objects
  python sweeps/backbones.py --backbones resnet10t hrnet_w18_small --heads deconv direct
      two backbones, each under both heads: four trials
  python sweeps/backbones.py --recipe official_v1b official_v2 best --small --backbones resnet10t \\
      --seeds 0 1 2
      three ways to train one network, at the size of `quick`, three seeds each
  python sweeps/backbones.py --set optim.lr=1e-3 data.points=512
      any setting of the recipe, for every trial
  python sweeps/backbones.py --data data/lm --objects cat --backgrounds photographs
      the real LineMOD cat (BOP folder), rendered training images on photographs
  python sweeps/backbones.py --recipe paper --ray-address auto --out /shared/runs \\
      --datasets /shared/data
      the published study on a running Ray cluster whose nodes share one folder
  python sweeps/backbones.py --recipe paper --describe
      the four networks of the study with parameters and GFLOPs; nothing is trained
  python sweeps/backbones.py --resume
      go on with the newest sweep: finished trials are kept, the others continue

Results: OUT/NAME/summary.md (the answer) and table.md (every trial), both as CSV too; the runs: `make ui`.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """Which trials are run, on what data, where and how."""

    recipe: Recipes = None
    """How to train; several are compared on the data of the first. Default: `paper` with a CUDA device, else
    `quick` (small networks, one object)."""
    small: bool = False
    """The method of the recipe at the size of `quick`: small networks and images, one object, few epochs."""
    set: Settings = ()
    """Change settings of every trial, by the dotted names that MLflow shows: `optim.lr=1e-3`."""
    backbones: Names = None
    """timm models. Default: those of the recipe."""
    heads: Annotated[tuple[str, ...], tyro.conf.arg(metavar="HEAD ...")] = ("study",)
    """`deconv`, `direct`, `fpn`, `upsample`, or `study`: the one that the study gave each backbone."""
    loss_weights: Weights = None
    """Weights of the Monte Carlo pose loss. Default: the recipe's."""
    seeds: Seeds = (0,)
    """One trial per seed and setting."""
    epochs: Count = None
    """Length of the training. Default: the recipe's."""
    pretrained: YesNo = None
    """Start from ImageNet weights. Default: the recipe's choice."""
    objects: Names = None
    """LineMOD names, such as `cat ape`. Default: the recipe's."""
    data: Annotated[str | None, _arg("FOLDER|URI")] = None
    """LineMOD in BOP format, or a built dataset: its folder or URI (`s3://...`), copied once to each node.
    Default: procedural stand-ins, nothing to download."""
    backgrounds: Folder = None
    """Photographs behind rendered objects. Default: procedural."""
    datasets: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("data")
    """Where built datasets are kept and found again."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder: sweeps, checkpoints, tables and mlflow.db."""
    name: Text = None
    """Name of the sweep. Default: recipe and time."""
    resume: bool = False
    """Go on with the sweep NAME (default: the newest) instead of starting one, with the flags that it was
    started with; others can be added, such as more --seeds."""
    trials_at_once: Count = None
    """Default: one per core, or one per GPU."""
    ray_address: Text = None
    """A running Ray cluster, such as `auto` or `HOST:PORT`. Default: Ray on this machine only."""
    describe: bool = False
    """Only print the networks that would be trained: size, cost, schedule and loss."""
    list_backbones: Annotated[str | None, _arg("PATTERN")] = None
    """Only print the timm models whose names match a wildcard, such as `'conv*'`."""
    list_settings: Pattern = None
    """Only print a trial's settings, or those that match a wildcard, such as `'optim.*'`: what the recipes
    say (else the defaults), ranges and help."""

    @property
    def settings(self) -> list[str]:
        """Every KEY=VALUE of `--set`, in the order given."""
        return [setting for given in self.set for setting in given]


def check(config: SweepConfig) -> None:
    """Check all that can be checked without loading anything heavy.

    Raises:
        UserError: an empty list, an unknown recipe, setting or object, a number out of range, a folder that
            is not there.
    """
    for name in config.recipe or ():
        if name not in RECIPES:
            listed = ", ".join(RECIPES)
            raise UserError(f"--recipe: unknown recipe '{name}'{nearest(name, RECIPES)}; recipes: {listed}")
    read_settings(config.settings)
    if config.objects is not None and (config.data is None or not any(config.objects)):
        resolve_objects([name for name in config.objects if name.strip()])  # else the folder has its own
    for flag in ("recipe", "backbones", "heads", "loss_weights", "seeds"):
        if getattr(config, flag) == ():
            raise UserError(f"--{flag.replace('_', '-')}: the list is empty")
    for flag in ("epochs", "trials_at_once"):
        value = getattr(config, flag)
        if value is not None and value < 1:
            raise UserError(f"--{flag.replace('_', '-')}: {value} is not at least 1")
    for weight in config.loss_weights or ():
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError(f"--loss-weights: {weight} is not a finite number >= 0")
    for seed in config.seeds:
        if seed < 0:
            raise UserError(f"--seeds: {seed} is negative")
    from epropnp.data.remote import is_uri  # brings pyarrow: --help answers at once

    for flag in ("data", "backgrounds"):
        folder = getattr(config, flag)
        if folder is not None and not is_uri(folder) and not Path(folder).is_dir():
            raise UserError(f"--{flag}: no folder {folder}; check the path, or leave the flag out")
    if config.name is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]*", config.name):
        raise UserError(f"--name: '{config.name}' may hold letters, digits and . _ - only")
