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
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import override
from epropnp.training.recipes import RECIPES, Recipe, small
from sweeps.flags import DESCRIPTION, SweepConfig, check

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from rich.console import Console

    from sweeps.folder import Sweep
    from sweeps.results.tables import Row
    from sweeps.space import PlannedTrial
    from sweeps.tracking.tracker import Tracker

PROG = "python sweeps/backbones.py"
STUDY_RENDERINGS = 1000  # per object, added to real training frames, as in the study
RETRIES = 1  # of a trial whose process broke; it goes on from its checkpoint
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 0, 1 (a trial failed), 2 (bad input) or 130 (Ctrl-C)."""
    try:
        config, words = _read_flags(sys.argv[1:] if arguments is None else arguments)
        if config.list_settings is not None:
            return list_settings(config)
        if config.describe or config.list_backbones is not None:
            return inform(config)
        return run(config, words)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return INTERRUPTED


def run(config: SweepConfig, words: Sequence[str]) -> int:
    """Run a sweep whose flags passed `check`, given as these `words`; see `main` for the exit code."""
    from pipelines.objects import resolve_objects
    from sweeps.folder import create_folders, find_sweep
    from sweeps.running.cluster import set_environment
    from sweeps.space import fetch_weights

    set_environment(config.ray_address)
    console = console_or_file()
    recipes = _choose_recipes(config, console)
    recipe = recipes[0]  # whose objects and numbers of images all trials share
    wanted = config.objects or recipe.objects
    objects = list(wanted) if config.data else [info.name for info in resolve_objects(wanted)]
    trials = _plan(config, recipes)
    fetch_weights(trials)
    sweep = find_sweep(config, "-".join(recipe.name for recipe in recipes))
    console.print(f"sweep {sweep.name}: {len(trials)} trials on {', '.join(objects)}")

    started_s = time.perf_counter()
    dataset, dataset_id = _dataset(config, recipe, objects)
    data_s = time.perf_counter() - started_s
    console.print(f"dataset {dataset_id}: {dataset}  ({data_s:.1f} s)")

    create_folders(sweep, trials, dataset_id, words)
    tracker = _tracker(config, sweep)
    tracker.connect()
    flags = {f"flag.{key}": value for key, value in vars(config).items() if value not in (None, ())}
    names = " ".join(recipe.name for recipe in recipes)
    tracker.start("", flags | {"recipe": names, "dataset_id": dataset_id})
    started_s = time.perf_counter()
    try:
        rows = _train(config, sweep, trials, dataset, dataset_id, tracker, console)
    except (KeyboardInterrupt, UserError) as stop:
        tracker.finish("", "KILLED")
        if isinstance(stop, KeyboardInterrupt):
            console.print(f"\ngo on with: --resume --name {sweep.name}", highlight=False)
        raise
    training_s = time.perf_counter() - started_s

    from epropnp.data.reader import ArrowDataset
    from sweeps.results.report import report, show

    show(report(sweep, rows, ArrowDataset(dataset), tracker), console)
    if not tracker.flush():
        advice = f"later: --resume --name {sweep.name}"
        console.print(f"MLflow at {tracker.uri} is out of reach; {advice}", soft_wrap=True)
    console.print(f"data {data_s:.0f} s, training {training_s:.0f} s")
    return 0 if all(row.result for row in rows) else 1


def inform(config: SweepConfig) -> int:
    """Answer `--list-backbones` or `--describe`: nothing is downloaded, built or trained."""
    from epropnp.evaluation.table import to_rich
    from sweeps.describe import describe, description_table, show_backbones

    console = console_or_file()
    if config.list_backbones is not None:
        show_backbones(config.list_backbones, console)
        return 0
    recipes = _choose_recipes(config, console)
    title = " ".join(("recipe" if len(recipes) == 1 else "recipes", *(recipe.name for recipe in recipes)))
    if config.settings:
        title += f" with {' '.join(config.settings)}"
    table = description_table(describe(_plan(config, recipes)), title)
    console.print(to_rich(table, console.width))
    return 0


def list_settings(config: SweepConfig) -> int:
    """Answer `--list-settings` with what the first trial of each recipe given has, else the defaults."""
    from epropnp.evaluation.table import to_rich
    from epropnp.training.listing import settings_table

    assert config.list_settings is not None
    console = console_or_file()
    configs = {recipe.name: recipe.first for recipe in _chosen(config)} or {"default": TrialConfig()}
    shown = {title: override(base, config.settings) for title, base in configs.items()}
    console.print(to_rich(settings_table(shown, config.list_settings), console.width))
    return 0


def _read_flags(words: Sequence[str]) -> tuple[SweepConfig, list[str]]:
    """The flags, checked, and their words: when a sweep is resumed, after those that it was started with."""
    config = parse(SweepConfig, DESCRIPTION, words, PROG)
    if config.resume:
        from sweeps.folder import started_with

        words = [*started_with(config), *words]
        config = parse(SweepConfig, DESCRIPTION, words, PROG)
    check(config)
    return config, list(words)


def _plan(config: SweepConfig, recipes: Sequence[Recipe]) -> tuple["PlannedTrial", ...]:
    from sweeps.space import plan_trials

    return plan_trials(
        recipes,
        backbones=config.backbones,
        heads=config.heads,
        loss_weights=config.loss_weights,
        seeds=config.seeds,
        epochs=config.epochs,
        pretrained=config.pretrained,
        settings=config.settings,
    )


def _choose_recipes(config: SweepConfig, console: "Console") -> list[Recipe]:
    """The recipes of the command line in its order, or the one that fits this machine."""
    if config.recipe is None:
        config = dataclasses.replace(config, recipe=(_recipe_of_this_machine(console),))
    return _chosen(config)


def _chosen(config: SweepConfig) -> list[Recipe]:
    recipes = [RECIPES[name] for name in dict.fromkeys(config.recipe or ())]
    return [small(recipe) for recipe in recipes] if config.small else recipes


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


def _dataset(config: SweepConfig, recipe: Recipe, objects: Sequence[str]) -> tuple[str, str]:
    """Folder or URI, and id, of the dataset: built now, before, or by others. Every byte of it is checked."""
    from epropnp.data.reader import ArrowDataset
    from epropnp.data.remote import is_uri
    from epropnp.data.schema import MANIFEST
    from pipelines.building.build import BuildConfig, build

    if config.data is not None and (is_uri(config.data) or (Path(config.data) / MANIFEST).is_file()):
        place = config.data if is_uri(config.data) else str(Path(config.data).resolve())
        dataset = ArrowDataset.verified(place)
        held = {model.name for model in dataset.objects.values()}
        if config.objects is not None and held != set(objects):
            raise UserError(f"--data: {place} holds {', '.join(sorted(held))}; leave --objects out")
        return place, dataset.dataset_id
    build_config = BuildConfig(
        objects=tuple(objects),
        source=None if config.data is None else Path(config.data),
        backgrounds=config.backgrounds,
        train=STUDY_RENDERINGS if config.data else recipe.train,
        validation=recipe.validation,
        test=recipe.test,
    )
    folder = str(Path(build(build_config, config.datasets)).resolve())
    return folder, ArrowDataset.verified(folder).dataset_id


def _tracker(config: SweepConfig, sweep: "Sweep") -> "Tracker":
    from sweeps.tracking.tracker import Tracker

    out = config.out.resolve()
    given = os.environ.get("MLFLOW_TRACKING_URI")
    return Tracker(
        uri=given or f"sqlite:///{out / 'mlflow.db'}",
        sweep_id=sweep.sweep_id,
        sweep_name=sweep.name,
        spool=sweep.folder / "mlflow-spool.jsonl",
        artifacts=None if given else out / "mlartifacts",
    )


def _train(
    config: SweepConfig,
    sweep: "Sweep",
    trials: Sequence["PlannedTrial"],
    dataset: str,
    dataset_id: str,
    tracker: "Tracker",
    console: "Console",
) -> list["Row"]:
    """Run the trials that have no result yet, and collect all results in the order of `trials`."""
    from sweeps.results.tables import Row
    from sweeps.running.tune import run_trials
    from sweeps.trial import read_result

    folders = {trial.name: sweep.trial_folder(trial.name) for trial in trials}
    pending = [trial for trial in trials if read_result(folders[trial.name]) is None]
    if len(pending) < len(trials):
        console.print(f"{len(trials) - len(pending)} trials are finished already; kept")
    failures: dict[str, str] = {}
    if pending:
        failures = run_trials(
            trials,
            pending,
            folders,
            dataset,
            storage=sweep.folder / "ray",
            at_once=config.trials_at_once,
            address=config.ray_address,
            retries=RETRIES,
            tracker=tracker,
            console=console,
        )
    return [
        Row(
            name=trial.name,
            config=trial.config,
            dataset_id=dataset_id,
            result=read_result(folders[trial.name]),
            failure=failures.get(trial.name),
        )
        for trial in trials
    ]


if __name__ == "__main__":
    sys.exit(main())
