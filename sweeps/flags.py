"""The main job's flags: one frozen dataclass, turned into a command line by `epropnp.command_line`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal, get_args

import tyro

from epropnp.command_line import Pattern, YesNo, shown_as
from epropnp.training.recipes import RECIPES
from sweeps.running.keep import KEEPS, Keep
from sweeps.search.stopping import RULES, Rule

Names = Annotated[tuple[str, ...] | None, shown_as("NAME ...")]
Weights = Annotated[tuple[float, ...] | None, shown_as("WEIGHT ...")]
Seeds = Annotated[tuple[int, ...] | None, shown_as("SEED ...")]
Folder = Annotated[Path | None, shown_as("FOLDER")]
Text = Annotated[str | None, shown_as("TEXT")]
Points = Annotated[float | None, shown_as("POINTS")]
Count = Annotated[int | None, shown_as("N")]
Settings = tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], shown_as("KEY=VALUE ...")]]
Vary = tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], shown_as("KEY VALUE ...")]]
Cases = tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], shown_as("NAME KEY=VALUE ...")]]
Search = tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], shown_as("KEY=SPACE ...")]]
SamplerName = Literal["grid", "random", "tpe", "gp", "nsga"]
SAMPLERS = get_args(SamplerName)
Recipes = Annotated[tuple[str, ...] | None, shown_as(f"{{{','.join(RECIPES)}}} ...")]

SHORT = {  # flags that are short for `--vary KEY`
    "recipe": "recipe",
    "backbones": "model.backbone",
    "heads": "model.head",
    "loss_weights": "loss.mc",
    "seeds": "seed",
}

DESCRIPTION = """Compare backbones on 6DoF object pose: build the data once, train one trial per
recipe x backbone x head x loss weight x whatever else is varied x seed, print one table, and say which
setting is best.

Examples:
  python sweeps/backbones.py
      the recipe that fits this machine, on rendered stand-ins of the LineMOD objects
  python sweeps/backbones.py --backbones resnet10t hrnet_w18_small --heads deconv direct
      two backbones, each under both heads: four trials
  python sweeps/backbones.py --recipe official_v1b official_v2 best --small --backbones resnet10t \\
      --seeds 0 1 2
      three ways to train one network, at the size of `quick`, three seeds each
  python sweeps/backbones.py --vary optim.lr 1e-3 3e-3 --vary data.points 128 512 --set optim.ema=0.99
      any setting of the recipe: four trials of each backbone, and one setting for all of them
  python sweeps/backbones.py --case plain --case v2 model.weight_norm=v2 loss.mc=0.2
      settings that belong together, under a name
  python sweeps/backbones.py --search optim.lr=1e-4:1e-2:log model.head=deconv,direct --trials 30 \\
      --backbones resnet10t --seeds 0 1
      learning rate and head as Optuna finds them, each cell judged by two seeds
  python sweeps/backbones.py --heads deconv direct fpn --loss-weights 0.05 0.5 --race
      which is best? up to five seeds of each, but only where they decide
  python sweeps/backbones.py --search optim.lr=1e-4:1e-2:log --trials 10 --per model.backbone --confirm 3 \\
      --backbones resnet10t hrnet_w18_small
      each backbone tuned for itself with ten cells, and the best cell of each compared, with fresh seeds
  python sweeps/backbones.py --objects cat ape --vary build.train 100 1000 \\
      --case clean build.occluders=none --case hidden build.occluders=ape,can
      numbers of training images, with and without what hides the objects: four datasets, one test
  python sweeps/backbones.py --data data/lm --objects cat --backgrounds photographs
      the real LineMOD cat (BOP folder), rendered training images on photographs
  python sweeps/backbones.py --recipe paper --ray-address auto --out /shared/runs \\
      --datasets /shared/data
      the published study on a running Ray cluster whose nodes share one folder
  python sweeps/backbones.py --recipe paper --describe
      the four networks of the study with parameters and GFLOPs; nothing is trained
  python sweeps/backbones.py --resume
      go on with the newest sweep: finished trials are kept, the others continue
  python sweeps/backbones.py --resume --seeds 1 2 --vary optim.lr 1e-2
      the same, wider: only what is new is trained
  python sweeps/backbones.py --like quick-20270131-120000 --name again
      the same sweep once more, from its recorded flags: is the answer the same?
  python sweeps/backbones.py --dry-run ...
      what would be trained, how long it may take and how much disk it needs

Results: OUT/NAME/summary.md (the answer) and table.md (every trial), both as CSV too; the runs: `make ui`.
From another terminal: epropnp-sweeps {list | status NAME | stop NAME [TRIAL] | clean NAME}.
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
    """Change settings of every trial, by the dotted names that MLflow shows: `optim.lr=1e-3`,
    `build.train=500`."""
    vary: Vary = ()
    """Compare values of any setting: `--vary optim.lr 1e-3 3e-3`; several times for several settings. Each
    value of a setting of the data, such as `--vary build.train 100 1000`, is a dataset of its own."""
    case: Cases = ()
    """Compare settings that belong together, under a name: `--case lc loss.mc=0 loss.deriv_t=1`; several
    times."""
    search: Search = ()
    """Draw settings instead of listing them, beside the axes: `optim.lr=1e-5:1e-2:log`,
    `model.head=deconv,direct`, `data.points=128:1024:step128`."""
    trials: Count = None
    """Cells that a search tries, each with all its seeds, those of earlier calls included. Default: 20."""
    sampler: Annotated[SamplerName | None, shown_as(f"{{{','.join(SAMPLERS)}}}")] = None
    """How cells are drawn; `grid`: all of them in their order. Default: tpe with --search, else grid."""
    objectives: Annotated[str | None, shown_as("NAME,-NAME...")] = None
    """What a search makes large, or with a minus sign small, as means over the seeds: scores of each trial's
    best weights on all validation images, and costs, such as `val/add_area,-gflops`. Default:
    val/add_area."""
    stop: Annotated[Rule | None, shown_as(f"{{{','.join(RULES)}}}")] = None
    """Stop settings early by the validation scores of their epochs: `asha` leaves a third at each rung,
    `median` what is below it. `none`, with --resume: train stopped trials to their end. Default: all are
    trained."""
    race: bool = False
    """Spend seeds where they decide: all listed settings get one, then round by round the better half of what
    is left gets one more. A setting that is shown not to be the best is dropped; it ends with one, with a
    group that is equal within --margin, or with --max-seeds or --hours."""
    max_seeds: Count = None
    """Of each setting of a race. Default: 5."""
    per: Annotated[str | None, shown_as("KEY")] = None
    """Tune fairly: each value of this axis, such as `model.backbone`, gets a search of its own with --trials
    cells, and the best cells alone are compared, trained anew with --confirm seeds."""
    confirm: Count = None
    """Fresh seeds of each best cell with --per. Default: 3."""
    known: YesNo = None
    """Take over results that other sweeps of OUT have of the same trial, and train only the rest. Default:
    yes."""
    backbones: Names = None
    """timm models. Default: those of the recipe."""
    heads: Annotated[tuple[str, ...] | None, shown_as("HEAD ...")] = None
    """`deconv`, `direct`, `fpn`, `upsample`, a class of yours (`my_heads.Sharp`), or `study`: the one that
    the study gave each backbone. Default: that."""
    loss_weights: Weights = None
    """Weights of the Monte Carlo pose loss. Default: the recipe's."""
    seeds: Seeds = None
    """One trial per seed and setting. Default: the recipe's, 0."""
    epochs: Count = None
    """Length of the training. Default: the recipe's."""
    pretrained: YesNo = None
    """Start from ImageNet weights. Default: the recipe's choice."""
    objects: Names = None
    """LineMOD names, such as `cat ape`. Default: the recipe's."""
    data: Annotated[str | None, shown_as("FOLDER|URI")] = None
    """LineMOD or a set of your own in BOP format, a mesh (PLY, OBJ), or a built dataset: its folder or URI
    (`s3://...`), copied once to each node. Default: procedural stand-ins, nothing to download."""
    backgrounds: Folder = None
    """Photographs behind rendered objects. Default: procedural."""
    datasets: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("data")
    """Where built datasets are kept and found again."""
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    """Working folder: sweeps, checkpoints, tables and mlflow.db."""
    name: Text = None
    """Name of the sweep. Default: recipe and time."""
    like: Annotated[str | None, shown_as("SWEEP")] = None
    """Repeat a recorded sweep, by its name in OUT or its folder, with the flags that it had; others can be
    given over them. Its dataset must be the same, and what else differs (versions, source) is said; at the
    end, whether its results are the same. All is trained anew, unless --known is given."""
    resume: bool = False
    """Go on with the sweep NAME (default: the newest) instead of starting one, with the flags that it was
    started with; values can be added to any axis, such as more --seeds."""
    resume_or_start: bool = False
    """The same, and start one where there is nothing to go on with: for jobs that are started again."""
    trials_at_once: Annotated[int | Literal["auto"] | None, shown_as("N|auto")] = None
    """`auto`: as many as memory is enough for, measured in the first updates of each setting.
    Default: one per core, or one per GPU."""
    retries: Count = None
    """Processes of a trial that may break in a row, without another checkpoint, and be followed by one more.
    Default: 1."""
    hours: Annotated[float | None, shown_as("H")] = None
    """Then no other trial starts, running ones are interrupted with a checkpoint, and the table is written;
    --resume --hours H goes on for H more. With --resume-or-start the hours of all calls count."""
    resources: Annotated[tuple[str, ...] | None, shown_as("NAME=AMOUNT ...")] = None
    """What each trial asks of the cluster beside its cores and its share of a GPU, or in their place, such as
    `gpu=1` where nodes start when they are asked for, or `accelerator_type:A100=0.001`."""
    ray_address: Text = None
    """A running Ray cluster, such as `auto` or `HOST:PORT`. Default: Ray on this machine only."""
    dry_run: bool = False
    """Only print the trials, which of them are done, how long they may take and how much disk they need."""
    check: YesNo = None
    """Before the long trials, each setting does two updates, an evaluation, a checkpoint and a record.
    Default: with more than four trials."""
    margin: Points = None
    """Settings that are shown to differ by less, in points of a score, are called equal. A smaller margin
    takes more test images and seeds: the summary says which these can show. Default: 5."""
    figures: YesNo = None
    """At the end draw figures and test images, and write the page; `epropnp-sweeps compare` does so at any
    time. Default: yes."""
    keep: Annotated[Keep | None, shown_as(f"{{{','.join(KEEPS)}}}")] = None
    """Weights that a finished trial keeps: `best.pt`, its last `checkpoint.pt`, all or none. A stopped one
    keeps what it can go on from; results, predictions and pictures always stay. Default: best."""
    register: Annotated[str | None, shown_as("NAME|no")] = None
    """At the end MLflow registers the network that validation prefers under this name, and calls it champion
    unless an earlier one is shown to be better; `no`: it does not. Default: epropnp- and the sweep's name."""
    describe: bool = False
    """Only print the networks that would be trained: size, cost, schedule and loss."""
    list_backbones: Annotated[str | None, shown_as("PATTERN")] = None
    """Only print the timm models whose names match a wildcard, such as `'conv*'`."""
    list_settings: Pattern = None
    """Only print a trial's settings, those of a group, such as `build`, or those that match a wildcard, such
    as `'optim.l*'`: what the recipes say (else the defaults), ranges and help."""

    @property
    def settings(self) -> list[str]:
        """Every KEY=VALUE of `--set`, in the order given."""
        return [setting for given in self.set for setting in given]

    @property
    def draws(self) -> bool:
        """Whether cells are drawn, and not all listed."""
        return self.sampler != "grid" if self.sampler is not None else bool(self.search)


def flag_of(key: str) -> str:
    """The flag that varies a setting, as it is typed."""
    return next((f"--{name.replace('_', '-')}" for name, short in SHORT.items() if short == key), "--vary")
