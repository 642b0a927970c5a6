"""The search that command lines ask for."""

from collections.abc import Sequence

from epropnp.errors import UserError
from pipelines.building.config import BuildConfig
from sweeps.build_settings import PREFIX
from sweeps.datasets import completion
from sweeps.flags import SweepConfig
from sweeps.search.domain import Domain
from sweeps.search.objectives import USUAL, Objective, objectives_of
from sweeps.search.ranges import NumberRange, listed, searched
from sweeps.search.searching import CELLS, CONFIRM, Searching
from sweeps.space import OWN, SEED, Axis, Space, by_key

SEEDS = 5  # of a setting in a race


def ranges_of(commands: Sequence[SweepConfig]) -> list[Axis | NumberRange]:
    """What `--search` says of each setting; of several command lines, the last one that names it counts.

    Raises:
        UserError: as of `searched`, or a setting that one command line gives twice.
    """
    found: dict[str, Axis | NumberRange] = {}
    for command in commands:
        own: dict[str, Axis | NumberRange] = {}
        for text in (text for given in command.search for text in given):
            each = searched(text)
            key = each.key if isinstance(each, NumberRange) else each.name
            if key in own:
                raise UserError(f"--search: {key} is given twice: do one")
            own[key] = each
        found |= own
    return list(found.values())


def with_searched(space: Space, found: Sequence[Axis | NumberRange]) -> Space:
    """The space with more axes. UserError where it has one of them already, or a range cannot be listed."""
    axes = [listed(each) if isinstance(each, NumberRange) else each for each in found]
    twice = {axis.name for axis in space.axes} & {axis.name for axis in axes}
    if twice:
        raise UserError(f"--search: {twice.pop()} is an axis already, with values of its own: do one")
    return Space(recipes=space.recipes, axes=[*space.axes, *axes], settings=space.settings)


def searching_of(
    config: SweepConfig, space: Space, found: Sequence[Axis | NumberRange], base: BuildConfig
) -> Searching:
    """What is to be drawn, how and how often.

    Args:
        config: flags as the last command line has them that gives them.
        space: recipes and axes.
        found: of `ranges_of`.
        base: settings of the data.
    """
    _check_per(config)
    space = with_searched(space, [each for each in found if isinstance(each, Axis)])
    keys = {key for axis in space.axes for choice in axis.choices for key in by_key(choice.settings)}
    used = [key for key in keys | by_key(space.settings).keys() if key.startswith(PREFIX)]
    ranges = [each for each in found if isinstance(each, NumberRange)]
    assert config.sampler != "grid"
    return Searching(
        domain=Domain(space, ranges, completion(used, base)),
        cells=CELLS if config.trials is None else config.trials,
        sampler=config.sampler or "tpe",
        objectives=objectives_of(USUAL if config.objectives is None else config.objectives),
        per=config.per,
        confirm=CONFIRM if config.confirm is None else config.confirm,
    )


def check_grid(config: SweepConfig) -> None:
    """UserError where a flag of a search is given for a sweep that tries all cells."""
    _check_per(config)
    for flag in ("trials", "per", *(() if config.race else ("objectives",))):
        if getattr(config, flag) is not None:
            raise UserError(f"--{flag}: all cells are tried, none is drawn: add --search, or --sampler tpe")


def raced(space: Space, config: SweepConfig) -> Space:
    """The space with the seeds that each setting of a race may get; without a race, as it is.

    UserError for flags that do not go with a race, or go with nothing else.
    """
    if not config.race:
        if config.max_seeds is not None:
            raise UserError("--max-seeds is for races: add --race, or list --seeds")
        return space
    if config.draws or config.search:
        raise UserError("--race: settings that race are listed: leave --search out, or --race")
    if config.stop not in (None, "none"):
        raise UserError(f"--race: a race drops settings itself: leave --stop {config.stop} out, or --race")
    listed = next((axis.choices for axis in space.axes if axis.name == SEED), (OWN,))
    if OWN not in listed and config.max_seeds is not None:
        raise UserError("--max-seeds: --seeds lists the seeds of the race already: give one of them")
    if OWN not in listed and len(listed) == 1:
        raise UserError("--seeds: a race may give several: list them, or leave the flag out")
    first = space.recipes[0].base.seed
    counted = Axis.of(SEED, range(first, first + (config.max_seeds or SEEDS))).choices
    choices = [each for choice in listed for each in (counted if choice == OWN else (choice,))]
    others = [axis for axis in space.axes if axis.name != SEED]
    seeds = Axis(name=SEED, choices=tuple(dict.fromkeys(choices)))
    return Space(recipes=space.recipes, axes=[*others, seeds], settings=space.settings)


def raced_by(config: SweepConfig) -> Objective:
    """The score that decides a race. UserError for several, or a cost."""
    found = objectives_of(USUAL if config.objectives is None else config.objectives)
    if len(found) > 1 or found[0].least:
        raise UserError("--objectives: a race is decided by one score, such as val/add_area")
    return found[0]


def _check_per(config: SweepConfig) -> None:
    """UserError for flags that fit no sweep together with `--per`, or none without it."""
    if config.per is not None and config.race:
        raise UserError(
            "--per: a race gives each setting seeds of its own choice: leave out --race, or --per"
        )
    if config.confirm is not None and config.per is None:
        raise UserError(
            "--confirm: best cells are trained anew with --per only, such as --per model.backbone"
        )
