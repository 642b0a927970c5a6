"""The datasets of a sweep: what flags, recipe and the settings of its cells ask for, built or only named."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

from epropnp.errors import UserError
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import override
from epropnp.training.recipes import Recipe
from pipelines.building.config import BuildConfig
from sweeps.build_settings import Build, changed, stated, taken_apart
from sweeps.flags import SweepConfig
from sweeps.space import Cell, Plan, by_key

WARNING = ": WARNING"  # begins what is doubtful, after the name of its object
STUDY_RENDERINGS = 1000  # per object, added to real training frames, as in the study


def is_built(data: str | None) -> bool:
    """Whether `--data` is a dataset, and no folder to build one from."""
    from epropnp.data.remote import is_uri
    from epropnp.data.schema import MANIFEST

    return data is not None and (is_uri(data) or (Path(data) / MANIFEST).is_file())


def check_not_built(config: SweepConfig, cells: Iterable[Cell]) -> None:
    """UserError where settings of the data are given for a dataset that is built already."""
    found = next((cell.build[0] for cell in cells if cell.build), None)
    if found is not None and is_built(config.data):
        raise UserError(
            f"--data: {config.data} is built already, and {found} cannot change it: leave that out, or give "
            "--data the folder that it was built from"
        )


def objects_of(config: SweepConfig, recipe: Recipe) -> list[str]:
    """Names of the objects of all datasets of a sweep: the flag's, else the recipe's."""
    from pipelines.objects import resolve_objects

    wanted = config.objects or recipe.objects
    return list(wanted) if config.data else [info.name for info in resolve_objects(wanted)]


def build_config(config: SweepConfig, recipe: Recipe, build: Build = ()) -> BuildConfig:
    """What to build by flags and recipe, and over them by settings."""
    base = BuildConfig(
        objects=tuple(objects_of(config, recipe)),
        source=None if config.data is None else Path(config.data),
        backgrounds=config.backgrounds,
        train=STUDY_RENDERINGS if config.data else recipe.train,
        validation=recipe.validation,
        test=recipe.test,
    )
    return changed(base, build)


def with_data(trial: TrialConfig, config: SweepConfig, recipe: Recipe | None = None) -> SimpleNamespace:
    """A trial's config with what `--set` changes, and with a group `build`; without a recipe, defaults."""
    own, build = taken_apart(config.settings)
    data = changed(BuildConfig(objects=()), build) if recipe is None else build_config(config, recipe, build)
    if data.occluders is None:
        data = dataclasses.replace(data, occluders=data.objects)  # what that means, as one would set it
    return SimpleNamespace(**vars(override(trial, own)), build=data)


def completion(used: Iterable[str], base: BuildConfig) -> Callable[[Build], Build]:
    """Gives a cell's data a value for every setting that any cell names: tables tell it.

    What only others name has the value of `base`, but for one that is absent there.
    """
    own = {key: text for key, text in stated(base).items() if key in set(used)}
    return lambda build: tuple(sorted(f"{key}={text}" for key, text in (own | by_key(build)).items()))


def completed(plan: Plan, base: BuildConfig) -> Plan:
    """The cells with their data as of `completion`. A cell that is another's double then is merged."""
    complete = completion({key for cell in plan.cells for key in by_key(cell.build)}, base)
    cells: dict[tuple[TrialConfig, Build], Cell] = {}
    merged = list(plan.merged)
    for cell in plan.cells:
        build = complete(cell.build)
        if (cell.config, build) in cells:
            merged.append(f"{' '.join(build)} is what trials have without settings of the data")
        cells.setdefault((cell.config, build), dataclasses.replace(cell, build=build))
    return Plan(cells=tuple(cells.values()), merged=list(dict.fromkeys(merged)))


def named(config: SweepConfig, recipe: Recipe, cells: Iterable[Cell]) -> dict[Build, str]:
    """Where the dataset of each setting lies, or would lie; nothing is built. UserError as `built`."""
    if is_built(config.data):
        return {(): _given(config, recipe)}
    from pipelines.building.build import dataset_path

    return {
        build: str(dataset_path(build_config(config, recipe, build), config.datasets).resolve())
        for build in dict.fromkeys(cell.build for cell in cells)
    }


def built(config: SweepConfig, recipe: Recipe, cells: Iterable[Cell]) -> Iterator[tuple[Build, str]]:
    """Folder or URI of the dataset of each setting, one after the other, as soon as it is built or found.

    Raises:
        UserError: before the first is built, of any of them: bad settings, missing or broken input; a full
            disk; a given dataset of other objects.
    """
    if is_built(config.data):
        yield (), _given(config, recipe)
        return
    from pipelines.building.build import build_planned
    from pipelines.building.plan import plan_dataset

    plans = {
        build: plan_dataset(build_config(config, recipe, build), config.datasets)
        for build in dict.fromkeys(cell.build for cell in cells)
    }
    for build, plan in plans.items():
        yield (
            build,
            str(build_planned(plan, None, progress=True, ray_address=config.ray_address).resolve()),
        )


def told_of(place: str) -> list[str]:
    """What makes a dataset doubtful, `NAME: LINE` each; of one of pictures, all that was found in them."""
    from epropnp.data.manifest import checked_objects
    from epropnp.data.reader import ArrowDataset
    from epropnp.data.schema import SPLITS

    manifest = ArrowDataset(place).manifest
    found = [f"{name}: {line}" for name, line in checked_objects(manifest)]
    if not manifest.get("config", {}).get("source"):
        return [line for line in found if WARNING in line]
    splits, notes = manifest["splits"], manifest["notes"]
    images = ", ".join(f"{splits[name]['rows']} of {name}" for name in SPLITS if name in splits)
    left_out = [f"{name}: {count} {reason}" for name in notes for reason, count in notes[name].items()]
    return [f"images: {images}", *left_out, *found]


def _given(config: SweepConfig, recipe: Recipe) -> str:
    """The place of a dataset that is built already."""
    from epropnp.data.reader import ArrowDataset
    from epropnp.data.remote import is_uri

    assert config.data is not None
    place = config.data if is_uri(config.data) else str(Path(config.data).resolve())
    if config.objects is not None:
        held = {model.name for model in ArrowDataset(place).objects.values()}
        if held != set(objects_of(config, recipe)):
            raise UserError(f"--data: {place} holds {', '.join(sorted(held))}; leave --objects out")
    return place
