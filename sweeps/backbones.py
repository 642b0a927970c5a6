"""The main job: `python sweeps/backbones.py` compares backbones on 6DoF pose, from flags to table."""

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # a script, whose Python may not have the project installed: epropnp says so
    sys.path.insert(0, str(Path(__file__).parents[1]))

from epropnp.command_line import console_or_file, parse
from epropnp.errors import UserError
from epropnp.extras import require
from epropnp.training.config import TrialConfig
from epropnp.training.recipes import RECIPES, STUDY_OBJECTS, Recipe, small
from sweeps.axes import doubles, space_of
from sweeps.build_settings import LISTED, Build
from sweeps.called import Called, called_of
from sweeps.flag_checks import check_flags, check_kept
from sweeps.flags import DESCRIPTION, SweepConfig
from sweeps.program import PROG
from sweeps.running.keep import USUAL

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from rich.console import Console

    from sweeps.running.options import Options
    from sweeps.running.session import Session
    from sweeps.search.racers import Racers
    from sweeps.search.searching import Searching
    from sweeps.space import Cell, Space


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Exit code 0 (all finished or stopped), 1 (a trial failed), 2 (bad input), 75 (interrupted by SIGTERM,
    SIGHUP or a file `stop`: the same with --resume goes on) or 130 (Ctrl-C).
    """
    from epropnp.training.halt import TerminatedError
    from sweeps.running.signals import CTRL_C, INTERRUPTED, handled, raise_terminated

    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with handled(raise_terminated):
            command = parse(SweepConfig, DESCRIPTION, words, PROG)
            check_flags(command)
            if command.list_backbones is not None:
                return list_backbones(command.list_backbones)
            called = called_of(command, words)
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


def run(called: Called) -> int:
    """Run a sweep, or only say what it would run; see `main` for the exit code."""
    from sweeps.datasets import is_built

    gc.set_threshold(50_000)  # imports leave no garbage, and to look takes a fifth of their time
    require("a sweep", "sweeps", *(() if is_built(called.config.data) else ("data",)))
    console = console_or_file()
    called = called.with_recipe(console)
    config, space = called.config, space_of(called.commands, RECIPES)
    folder = called.folder(space.recipes)
    check_kept(config)
    if config.dry_run:
        return _planned(called, space, folder, console, None)
    from sweeps.running.session import ray_process

    with ray_process(called.wanted(space)) as session:  # starts while networks and data are looked at
        return _planned(called, space, folder, console, session)


def _planned(
    called: Called, space: "Space", folder: Path, console: "Console", session: "Session | None"
) -> int:
    """Run what the space holds; without Ray, say it."""
    from epropnp.evaluation.table import print_table
    from sweeps.datasets import build_config, check_not_built, completed, named
    from sweeps.search.called_for import (
        check_grid,
        raced,
        raced_by,
        ranges_of,
        searching_of,
        with_searched,
    )
    from sweeps.space import Plan, fetch_weights, plan

    config = called.config
    space, race = raced(space, config), raced_by(config) if config.race else None
    recipe = space.recipes[0]  # whose objects and numbers of images all trials share
    base, ranges = build_config(config, recipe), ranges_of(called.commands)
    searching = searching_of(config, space, ranges, base) if config.draws else None
    if searching is None:
        check_grid(config)
        found = plan(with_searched(space, ranges))
        check_not_built(config, found.cells)
        found = completed(found, base)
    else:
        found = Plan(cells=searching.domain.cells)
        check_not_built(config, found.cells)
    for double in (*doubles(called.commands[-1]), *found.merged):
        console.print(f"merged: {double}", highlight=False, markup=False)
    if told := _rehearsal(config, recipe):
        console.print(told, style="yellow", highlight=False, markup=False)
    if session is None and searching is not None:
        print_table(searching.table(), console)
        return 0
    if session is None:
        return dry_run(called.options, folder, found.cells, named(config, recipe, found.cells))
    fetch_weights(found.cells)
    what = f"{'at most ' * config.race}{len(found.cells)} trials" if searching is None else searching.told
    _say(console, f"sweep {folder.name}: {what} on {', '.join(base.objects)}")

    def data() -> dict[Build, str]:
        places = _data(config, recipe, found.cells, console)
        _look_for_room(config, folder, found.cells, places, console)
        return places

    def asked() -> "Sequence[Cell] | Searching | Racers":
        if race is None:
            return searching or found.cells
        from sweeps.search.racers import Racers

        return Racers(cells=found.cells, objective=race)

    return _run(called, config, folder, asked, data, console, session)


def _rehearsal(config: SweepConfig, recipe: Recipe) -> str | None:
    """What must be said where a published recipe runs without the data that it was published on."""
    if config.data is not None or recipe.objects != STUDY_OBJECTS or config.small:
        return None
    return (
        f"NO --data: recipe {recipe.name} on rendered stand-ins is a rehearsal of the study, and its numbers "
        f"are no result of it.\nThe study on LineMOD: {PROG} --recipe {recipe.name} --data LINEMOD "
        "--backgrounds VOC2012 (folders; docs/data.md tells where they come from)"
    )


def _data(
    config: SweepConfig, recipe: Recipe, cells: Sequence["Cell"], console: "Console"
) -> dict[Build, str]:
    """The places of all datasets, which are built where they are not there; says what is doubtful in them."""
    from sweeps.datasets import WARNING, built, told_of

    places = {}
    started_s = time.perf_counter()
    for build, place in built(config, recipe, cells):
        told = ", ".join((*build, f"{time.perf_counter() - started_s:.1f} s"))
        console.print(f"dataset: {place}  ({told})", markup=False)
        for line in told_of(place):
            style = "yellow" if WARNING in line else None
            console.print(line, style=style, highlight=False, markup=False)
        places[build] = place
        started_s = time.perf_counter()
    return places


def _look_for_room(
    config: SweepConfig,
    folder: Path,
    cells: Sequence["Cell"],
    places: Mapping[Build, str],
    console: "Console",
) -> None:
    from sweeps.disk import room_told
    from sweeps.forecast import at_once_here, forecast

    rows = forecast(cells, folder, places, config.keep or USUAL)
    if told := room_told(rows, at_once_here(cells, config.trials_at_once), folder):
        console.print(told, style="yellow", highlight=False, markup=False)


def _run(
    called: Called,
    config: SweepConfig,
    folder: Path,
    asked: "Callable[[], Sequence[Cell] | Searching | Racers]",
    data: Callable[[], Mapping[Build, str]],
    console: "Console",
    session: "Session",
) -> int:
    from sweeps.running.waiting import waiting

    with waiting(console, "sweep: loading torch"):
        from sweeps import sweep
        from sweeps.results.report import show
        from sweeps.tracking.address import runs_of
    command = called.again(folder.name)
    go_on = f"go on with: {command}"
    started_s = time.perf_counter()
    outcome = sweep.run(
        asked(),
        data,
        folder,
        command=called.words,
        tracking_uri=os.environ.get("MLFLOW_TRACKING_URI"),
        params={f"flag.{k}": v for k, v in vars(config).items() if v not in (None, (), False)},
        address=config.ray_address,
        margin=config.margin,
        options=called.options,
        console=console,
        go_on=command,
        session=session,
        like=called.like,
    )
    show(outcome.report, console)
    if called.like is not None:
        from sweeps.folder import open_sweep
        from sweeps.like import agreement

        _say(console, agreement(called.like, open_sweep(folder)))
    if outcome.recorded:
        _say(console, runs_of(folder, os.environ.get("MLFLOW_TRACKING_URI")))
    else:
        _say(console, f"MLflow has not heard of all this yet: it will when you {go_on}")
    if outcome.interrupted is not None:
        _say(console, f"interrupted: {outcome.interrupted}; {go_on}")
    _say(console, f"in all {time.perf_counter() - started_s:.0f} s")
    return outcome.code


def _say(console: "Console", text: str) -> None:
    with contextlib.suppress(OSError):  # a terminal that was closed
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def dry_run(options: "Options", folder: Path, cells: Sequence["Cell"], places: Mapping[Build, str]) -> int:
    """Answer `--dry-run`: nothing is downloaded, built or trained."""
    from epropnp.evaluation.table import print_table
    from sweeps.forecast import at_once_here, forecast, forecast_table

    rows = forecast(cells, folder, places, options.keep, options.known)
    table = forecast_table(rows, at_once_here(cells, options.at_once), f"sweep {folder.name}")
    print_table(table, console_or_file())
    return 0


def describe(called: Called) -> int:
    """Answer `--describe`: nothing is downloaded, built or trained."""
    from epropnp.evaluation.table import print_table
    from sweeps.describe import describe, description_table
    from sweeps.search.called_for import ranges_of, with_searched
    from sweeps.space import Axis, plan

    console = console_or_file()
    commands = called.with_recipe(console).commands
    space = space_of(commands, RECIPES)
    space = with_searched(space, [each for each in ranges_of(commands) if isinstance(each, Axis)])
    names = [recipe.name for recipe in space.recipes]
    title = " ".join(("recipe" if len(names) == 1 else "recipes", *names))
    if space.settings:
        title += f" with {' '.join(space.settings)}"
    table = description_table(describe([cell.config for cell in plan(space).cells]), title)
    print_table(table, console)
    return 0


def list_backbones(pattern: str) -> int:
    """Answer `--list-backbones`: timm's models that match."""
    from sweeps.describe import show_backbones

    show_backbones(pattern, console_or_file())
    return 0


def list_settings(called: Called, pattern: str) -> int:
    """Answer `--list-settings` with what the first trial of each recipe given has, else the defaults."""
    from epropnp.evaluation.table import print_table
    from epropnp.training.listing import settings_table
    from sweeps.datasets import with_data

    config = called.config
    recipes = [RECIPES[name] for name in dict.fromkeys(config.recipe or ())]
    recipes = [small(each) if config.small else each for each in recipes]
    shown = {each.name: with_data(each.first, config, each) for each in recipes}
    console = console_or_file()
    table = settings_table(shown or {"default": with_data(TrialConfig(), config)}, pattern, LISTED)
    print_table(table, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
