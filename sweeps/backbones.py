"""The main job: `python sweeps/backbones.py` compares backbones on 6DoF pose, from flags to table."""

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.command_line import console_or_file, parse
from epropnp.errors import UserError
from epropnp.extras import require
from epropnp.training.config import TrialConfig
from epropnp.training.recipes import RECIPES, STUDY_OBJECTS, Recipe, small
from sweeps.axes import doubles, merged, space_of
from sweeps.build_settings import LISTED, Build
from sweeps.flags import DESCRIPTION, SweepConfig, check_flags
from sweeps.program import PROG, go_on_command

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from rich.console import Console

    from sweeps.folder import Sweep
    from sweeps.space import Cell


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Exit code 0 (all finished or stopped), 1 (a trial failed), 2 (bad input), 75 (interrupted by SIGTERM,
    SIGHUP or a file `stop`: the same with --resume goes on) or 130 (Ctrl-C).
    """
    from sweeps.running.signals import CTRL_C, INTERRUPTED, TerminatedError, handled, raise_terminated

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
    from sweeps.datasets import build_config, check_not_built, completed, is_built, named
    from sweeps.space import fetch_weights, plan

    require("a sweep", "sweeps", *(() if is_built(called.config.data) else ("data",)))
    console = console_or_file()
    called = called.with_recipe(console)
    config, space = called.config, space_of(called.commands, RECIPES)
    recipe = space.recipes[0]  # whose objects and numbers of images all trials share
    found = plan(space)
    check_not_built(config, found.cells)
    base = build_config(config, recipe)
    found = completed(found, base)
    for double in (*doubles(called.commands[-1]), *found.merged):
        console.print(f"merged: {double}", highlight=False, markup=False)
    folder = called.sweep.folder if called.sweep else _new_folder(config, space.recipes)
    if told := _rehearsal(config, recipe):
        console.print(told, style="yellow", highlight=False, markup=False)
    if config.dry_run:
        return dry_run(config, folder, found.cells, named(config, recipe, found.cells))
    fetch_weights(found.cells)
    said = f"sweep {folder.name}: {len(found.cells)} trials on {', '.join(base.objects)}"
    console.print(said, markup=False)
    return _run(
        called, config, folder, found.cells, partial(_data, config, recipe, found.cells, console), console
    )


def _rehearsal(config: SweepConfig, recipe: Recipe) -> str | None:
    """What must be said where a published recipe runs without the data that it was published on."""
    if config.data is not None or recipe.objects != STUDY_OBJECTS or config.small:
        return None
    return (
        f"NO --data: recipe {recipe.name} on rendered stand-ins is a rehearsal of the study, and its numbers "
        f"are no result of it.\nThe study on LineMOD: {PROG} --recipe {recipe.name} --data LINEMOD "
        "--backgrounds VOC2012 (folders; README tells where they come from)"
    )


def _data(
    config: SweepConfig, recipe: Recipe, cells: Sequence["Cell"], console: "Console"
) -> dict[Build, str]:
    """The places of all datasets, which are built where they are not there; says what is doubtful in them."""
    from sweeps.datasets import built, warnings_of

    places = {}
    started_s = time.perf_counter()
    for build, place in built(config, recipe, cells):
        told = ", ".join((*build, f"{time.perf_counter() - started_s:.1f} s"))
        console.print(f"dataset: {place}  ({told})", markup=False)
        for line in warnings_of(place):
            console.print(line, style="yellow", highlight=False, markup=False)
        places[build] = place
        started_s = time.perf_counter()
    return places


def _run(
    called: Called,
    config: SweepConfig,
    folder: Path,
    cells: Sequence["Cell"],
    data: Callable[[], Mapping[Build, str]],
    console: "Console",
) -> int:
    from sweeps.folder import SWEEP_FILE
    from sweeps.running.waiting import waiting

    with waiting(console, "sweep: loading torch and MLflow"):
        from sweeps import sweep
        from sweeps.results.report import show
    command = go_on_command(folder.name, config.out, config.ray_address)
    go_on = f"go on with: {command}"
    started_s = time.perf_counter()
    try:
        outcome = sweep.run(
            cells,
            data,
            folder,
            command=called.words,
            tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"),
            params={f"flag.{k}": v for k, v in vars(config).items() if v not in (None, (), False)},
            at_once=config.trials_at_once,
            address=config.ray_address,
            check=config.check,
            margin=config.margin,
            console=console,
            go_on=command,
        )
    except BaseException:
        if (folder / SWEEP_FILE).exists():
            _say(console, f"\n{go_on}")
        raise
    show(outcome.report, console)
    if not outcome.recorded:
        _say(console, f"MLflow has not heard of all this yet: it will when you {go_on}")
    if outcome.interrupted is not None:
        _say(console, f"interrupted: {outcome.interrupted}; {go_on}")
    _say(console, f"training {time.perf_counter() - started_s:.0f} s")
    return outcome.code


def _say(console: "Console", text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that was closed
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def dry_run(config: SweepConfig, folder: Path, cells: Sequence["Cell"], places: Mapping[Build, str]) -> int:
    """Answer `--dry-run`: nothing is downloaded, built or trained."""
    import torch

    from epropnp.evaluation.table import to_rich
    from pipelines.building.private_ray import local_cores
    from sweeps.forecast import forecast, forecast_table
    from sweeps.running.cluster import Node, share_out

    cores = max(cell.config.threads + cell.config.data.workers for cell in cells)
    node = Node(cpus=local_cores(), gpus=torch.cuda.device_count())
    share = share_out(len(cells), config.trials_at_once, cores, [node])
    table = forecast_table(forecast(cells, folder, places), share.at_once, f"sweep {folder.name}")
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
    from sweeps.datasets import with_data

    config = called.config
    recipes = [RECIPES[name] for name in dict.fromkeys(config.recipe or ())]
    recipes = [small(each) if config.small else each for each in recipes]
    shown = {each.name: with_data(each.first, config, each) for each in recipes}
    console = console_or_file()
    table = settings_table(shown or {"default": with_data(TrialConfig(), config)}, pattern, LISTED)
    console.print(to_rich(table, console.width))
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
        command = go_on_command(folder.name, config.out, config.ray_address)
        raise UserError(f"--name: {folder} exists; choose another name, or go on with it: {command}")
    return folder


def _recipe_of_this_machine(console: "Console") -> str:
    import torch

    if torch.cuda.is_available():
        console.print(f"CUDA device found: recipe paper ({torch.cuda.get_device_name()})", markup=False)
        return "paper"
    console.rule("[bold yellow]NO GPU: recipe QUICK[/]", style="yellow")
    console.print(
        "Small networks, small images, one object: a comparison in minutes, not the published "
        "study.\nThe study itself: --recipe paper, on a machine with a CUDA device."
    )
    console.rule(style="yellow")
    return "quick"


if __name__ == "__main__":
    sys.exit(main())
