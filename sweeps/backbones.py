"""The main job: `python sweeps/backbones.py` compares backbones on 6DoF pose, from data to table.

Reads top to bottom: flags, trials, data, Ray, table. All input is checked before anything starts.
"""

import dataclasses
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.command_line import console_or_file, parse
from epropnp.errors import UserError
from epropnp.extras import require
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import override
from epropnp.training.recipes import RECIPES, Recipe, small
from sweeps.axes import doubles, merged, space_of
from sweeps.flags import DESCRIPTION, SweepConfig, check_flags

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from rich.console import Console

    from sweeps.folder import Sweep
    from sweeps.space import Cell

PROG = "python sweeps/backbones.py"
STUDY_RENDERINGS = 1000  # per object, added to real training frames, as in the study
CTRL_C = 130  # exit code, as shells have it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Exit code 0 (all finished or stopped), 1 (a trial failed), 2 (bad input), 75 (interrupted by SIGTERM,
    SIGHUP or a file `stop`: the same with --resume goes on) or 130 (Ctrl-C).
    """
    from sweeps.running.signals import INTERRUPTED, TerminatedError, handled, raise_terminated

    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with handled(raise_terminated):
            command = parse(SweepConfig, DESCRIPTION, words, PROG)
            check_flags(command)
            if command.list_backbones is not None:
                return list_backbones(command.list_backbones)
            called = _called(command, words)
            if command.list_settings is not None:
                return list_settings(called, command.list_settings)
            return describe(called) if command.describe else run(called)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except TerminatedError as signal:
        print(f"\ninterrupted by {signal}", file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return CTRL_C


@dataclasses.dataclass(frozen=True)
class Called:
    """What a command line asks for.

    Attributes:
        commands: the flags of all command lines of the sweep, this one the last.
        words: of this one.
        sweep: to go on with; None: a new one.
    """

    commands: Sequence[SweepConfig]
    words: Sequence[str]
    sweep: "Sweep | None" = None

    @property
    def config(self) -> SweepConfig:
        """Where and how to run."""
        return merged(self.commands)

    def with_recipe(self, console: "Console") -> "Called":
        """The same, with the recipe that fits this machine if the sweep was started without one."""
        first, *others = self.commands
        if first.recipe is not None:
            return self
        name = _recipe_of_this_machine(console)
        first = dataclasses.replace(first, recipe=(name,))
        words = self.words if others else [*self.words, "--recipe", name]
        return dataclasses.replace(self, commands=(first, *others), words=words)


def run(called: Called) -> int:
    """Run a sweep, or only say what it would run; see `main` for the exit code."""
    require("a sweep", "sweeps", *(() if _is_built(called.config.data) else ("data",)))
    from sweeps.space import fetch_weights, plan

    console = console_or_file()
    called = called.with_recipe(console)
    config, space = called.config, space_of(called.commands, RECIPES)
    recipe = space.recipes[0]  # whose objects and numbers of images all trials share
    objects = _objects(config, recipe)
    found = plan(space)
    for double in (*doubles(called.commands[-1]), *found.merged):
        console.print(f"merged: {double}", highlight=False, markup=False)
    folder = called.sweep.folder if called.sweep else _new_folder(config, space.recipes)
    if config.dry_run:
        return dry_run(config, folder, found.cells, _place(config, recipe, objects, build_it=False))
    fetch_weights(found.cells)
    console.print(f"sweep {folder.name}: {len(found.cells)} trials on {', '.join(objects)}")
    started_s = time.perf_counter()
    place = _place(config, recipe, objects)
    data_s = time.perf_counter() - started_s
    console.print(f"dataset: {place}  ({data_s:.1f} s)")
    return _run(called, config, folder, found.cells, place, console)


def _run(
    called: Called,
    config: SweepConfig,
    folder: Path,
    cells: Sequence["Cell"],
    place: str,
    console: "Console",
) -> int:
    from sweeps import sweep
    from sweeps.results.report import show

    go_on = f"--resume --name {folder.name}"
    started_s = time.perf_counter()
    try:
        outcome = sweep.run(
            cells,
            place,
            folder,
            command=called.words,
            tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"),
            params={f"flag.{k}": v for k, v in vars(config).items() if v not in (None, (), False)},
            at_once=config.trials_at_once,
            address=config.ray_address,
            check=config.check,
            margin=config.margin,
            console=console,
        )
    except KeyboardInterrupt:
        console.print(f"\ngo on with: {go_on}", highlight=False)
        raise
    show(outcome.report, console)
    if not outcome.recorded:
        console.print(f"MLflow is out of reach; later: {go_on}", soft_wrap=True)
    if outcome.interrupted is not None:
        console.print(f"interrupted: {outcome.interrupted}; go on with: {go_on}", highlight=False)
    console.print(f"training {time.perf_counter() - started_s:.0f} s")
    return outcome.code


def dry_run(config: SweepConfig, folder: Path, cells: Sequence["Cell"], place: str) -> int:
    """Answer `--dry-run`: nothing is downloaded, built or trained."""
    import torch

    from epropnp.evaluation.table import to_rich
    from sweeps.forecast import forecast, forecast_table
    from sweeps.running.cluster import local_cores, share_out

    threads = max(cell.config.threads for cell in cells)
    gpus = torch.cuda.device_count()
    share = share_out(len(cells), config.trials_at_once, threads, local_cores(), gpus, local_cores())
    table = forecast_table(forecast(cells, folder, place), share.at_once, f"sweep {folder.name}")
    console = console_or_file()
    console.print(to_rich(table, console.width))
    return 0


def describe(called: Called) -> int:
    """Answer `--describe`: nothing is downloaded, built or trained."""
    from epropnp.evaluation.table import to_rich
    from sweeps.describe import describe, description_table
    from sweeps.space import plan

    console = console_or_file()
    space = space_of(called.with_recipe(console).commands, RECIPES)
    names = [recipe.name for recipe in space.recipes]
    title = " ".join(("recipe" if len(names) == 1 else "recipes", *names))
    if space.settings:
        title += f" with {' '.join(space.settings)}"
    table = description_table(describe([cell.config for cell in plan(space).cells]), title)
    console.print(to_rich(table, console.width))
    return 0


def list_backbones(pattern: str) -> int:
    """Answer `--list-backbones`: timm's models that match."""
    from sweeps.describe import show_backbones

    show_backbones(pattern, console_or_file())
    return 0


def list_settings(called: Called, pattern: str) -> int:
    """Answer `--list-settings` with what the first trial of each recipe given has, else the defaults."""
    from epropnp.evaluation.table import to_rich
    from epropnp.training.listing import settings_table

    config = called.config
    recipes = [RECIPES[name] for name in dict.fromkeys(config.recipe or ())]
    configs = {each.name: (small(each) if config.small else each).first for each in recipes}
    configs = configs or {"default": TrialConfig()}
    shown = {title: override(base, config.settings) for title, base in configs.items()}
    console = console_or_file()
    console.print(to_rich(settings_table(shown, pattern), console.width))
    return 0


def _called(command: SweepConfig, words: Sequence[str]) -> Called:
    """The command lines of the sweep to go on with, and this one; alone, if a sweep is to be started."""
    if not (command.resume or command.resume_or_start):
        return Called((command,), words)
    from sweeps.folder import find_sweeps, open_sweep

    found = find_sweeps(command.out, command.name)
    if found:
        sweep = open_sweep(found[-1])
        earlier = [parse(SweepConfig, DESCRIPTION, told, PROG) for told in sweep.commands]
        return Called((*earlier, command), words, sweep)
    if command.resume_or_start:
        return Called((command,), words)
    what = f"sweep '{command.name}'" if command.name else "sweep"
    raise UserError(f"--resume: no {what} in {command.out.resolve()}; start one without --resume")


def _new_folder(config: SweepConfig, recipes: Sequence[Recipe]) -> Path:
    """Of a sweep to be started. UserError where there is one of its name."""
    names = "-".join(recipe.name for recipe in recipes)
    folder = config.out.resolve() / (config.name or f"{names}-{time.strftime('%Y%m%d-%H%M%S')}")
    if folder.exists() and not config.resume_or_start:
        raise UserError(f"--name: {folder} exists; add --resume to go on with it, or choose another name")
    return folder


def _objects(config: SweepConfig, recipe: Recipe) -> list[str]:
    from pipelines.objects import resolve_objects

    wanted = config.objects or recipe.objects
    return list(wanted) if config.data else [info.name for info in resolve_objects(wanted)]


def _recipe_of_this_machine(console: "Console") -> str:
    import torch

    if torch.cuda.is_available():
        console.print(f"CUDA device found: recipe [bold]paper[/] ({torch.cuda.get_device_name()})")
        return "paper"
    console.rule("[bold yellow]NO GPU: recipe QUICK[/]", style="yellow")
    console.print(
        "Small networks, small images, one object: a comparison in minutes, not the published "
        "study.\nThe study itself: --recipe paper, on a machine with a CUDA device."
    )
    console.rule(style="yellow")
    return "quick"


def _place(config: SweepConfig, recipe: Recipe, objects: Sequence[str], build_it: bool = True) -> str:
    """Folder or URI of the dataset, which is built if it is not there and may be; else where it would be."""
    from epropnp.data.reader import ArrowDataset
    from epropnp.data.remote import is_uri

    if config.data is not None and _is_built(config.data):
        place = config.data if is_uri(config.data) else str(Path(config.data).resolve())
        if config.objects is not None:
            held = {model.name for model in ArrowDataset(place).objects.values()}
            if held != set(objects):
                raise UserError(f"--data: {place} holds {', '.join(sorted(held))}; leave --objects out")
        return place
    from pipelines.building.build import BuildConfig, build, dataset_path

    build_config = BuildConfig(
        objects=tuple(objects),
        source=None if config.data is None else Path(config.data),
        backgrounds=config.backgrounds,
        train=STUDY_RENDERINGS if config.data else recipe.train,
        validation=recipe.validation,
        test=recipe.test,
    )
    found = build if build_it else dataset_path
    return str(Path(found(build_config, config.datasets)).resolve())


def _is_built(data: str | None) -> bool:
    """Whether `--data` is a dataset, and no folder to build one from."""
    from epropnp.data.remote import is_uri
    from epropnp.data.schema import MANIFEST

    return data is not None and (is_uri(data) or (Path(data) / MANIFEST).is_file())


if __name__ == "__main__":
    sys.exit(main())
