"""What a sweep compares: axes, each a list of named overrides, and the cells that they make of its recipes.

A cell is the config of one trial with the settings of its data. Every name and every pair of backbone and
head is checked here, before anything is built or started.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from epropnp.errors import UserError, nearest
from epropnp.models.config import HEAD_NAMES, ModelConfig, checked_head
from epropnp.training.config import TrialConfig
from epropnp.training.effect import effective
from epropnp.training.overrides import key_and_text, override, typed
from epropnp.training.recipes import Recipe, study_head
from sweeps.build_settings import Build, check_common, check_varied, taken_apart

STUDY = "study"  # in the place of a head: the one that the study gave the backbone
HEAD_CHOICES = (STUDY, *HEAD_NAMES)
RECIPE, BACKBONE, HEAD, WEIGHT, SEED = "recipe", "model.backbone", "model.head", "loss.mc", "seed"
CASE = "case"
OUTER, INNER = (BACKBONE, HEAD, WEIGHT), (CASE, SEED)  # axes in the order of the cells; others lie between


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One value of an axis: settings that go over those of the recipe, `KEY=VALUE` each."""

    name: str
    settings: tuple[str, ...]


OWN = Choice(name="", settings=())  # what each recipe has: of some settings several values


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What is varied: a setting by its dotted name, or `case`."""

    name: str
    choices: tuple[Choice, ...]

    @classmethod
    def of(cls, key: str, values: Sequence[object]) -> "Axis":
        """The axis of one setting."""
        return cls(name=key, choices=tuple(choice(key, typed(value)) for value in values))


def choice(key: str, text: str) -> Choice:
    """A setting's value, as it stands on a command line."""
    return Choice(name=text, settings=(f"{key}={text}",))


@dataclass(frozen=True, kw_only=True)
class Space:
    """All that a sweep could try.

    Attributes:
        recipes: what the cells start from; an axis of its own, the outermost.
        axes: one per setting, and one of cases; what a recipe compares by default needs none.
        settings: `KEY=VALUE` that hold for every cell, under its axes.
    """

    recipes: Sequence[Recipe]
    axes: Sequence[Axis] = ()
    settings: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One trial to be.

    Attributes:
        config: seed included.
        case: that it is of, if there are cases.
        build: settings of its data.
    """

    config: TrialConfig
    case: str | None = None
    build: Build = ()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The cells of a space, each once, and in words those that turned out to be another one's double."""

    cells: Sequence[Cell]
    merged: Sequence[str] = field(default_factory=tuple)


def plan(space: Space) -> Plan:
    """Multiply the axes of a space.

    Raises:
        UserError: an unknown setting, backbone or head (naming the nearest), a value that does not fit, a
            pair of backbone and head that does not, a setting that is given in two ways.
    """
    check_axes(space)
    cells: dict[tuple[TrialConfig, Build], Cell] = {}
    told: dict[tuple[TrialConfig, Build], dict[str, str]] = {}
    merged: list[str] = []
    for recipe in space.recipes:
        for settings, case in _combinations(recipe, space.axes):
            cell = cell_of(recipe, space.settings, settings, case)
            trained = effective(cell.config), cell.build
            if trained not in cells:
                cells[trained], told[trained] = cell, settings
            elif settings != told[trained]:
                merged.append(_double(settings, told[trained]))
    check_networks([cell.config for cell in cells.values()])
    return Plan(cells=tuple(cells.values()), merged=merged)


def fetch_weights(cells: Sequence[Cell]) -> None:
    """Bring the weights that trials start from into the cache that all of them read.

    Raises:
        UserError: weights that cannot be had: the sweep stops here, and not in a trial.
    """
    from epropnp.models.network import CorrespondenceNet

    for model in dict.fromkeys(cell.config.model for cell in cells):
        if model.starts_from_weights:
            CorrespondenceNet(model)


def by_key(settings: Sequence[str]) -> dict[str, str]:
    """The texts of `KEY=VALUE` settings by key."""
    return dict(map(key_and_text, settings))


def _combinations(recipe: Recipe, axes: Sequence[Axis]) -> list[tuple[dict[str, str], str | None]]:
    """Settings of each cell by key, and its case; a case goes over what the recipe compares by default."""
    given = {axis.name: axis.choices for axis in axes}
    names = ordered(given)
    choices = [choices_of(recipe, name, given.get(name, (OWN,))) for name in names]
    found: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], str | None]] = {}
    for combination in product(*choices):
        settings: dict[str, str] = {}
        for part in combination:
            settings |= by_key(part.settings)
        case = combination[names.index(CASE)].name or None
        found.setdefault(tuple(sorted(settings.items())), (settings, case))
    return list(found.values())


def ordered(names: Iterable[str]) -> list[str]:
    """The names of the axes that cells are made of, in their order: of two settings, the later one counts."""
    return [*OUTER, *(name for name in names if name not in (*OUTER, *INNER)), *INNER]


def choices_of(recipe: Recipe, name: str, choices: Sequence[Choice]) -> list[Choice]:
    """The choices of an axis, with the recipe's own in the place of OWN."""
    own = {BACKBONE: recipe.backbones, WEIGHT: recipe.loss_weights, HEAD: (STUDY,)}.get(name)
    own_choices = [OWN] if own is None else [choice(name, typed(value)) for value in own]
    expanded = [each for given in choices for each in (own_choices if given == OWN else [given])]
    return list(dict.fromkeys(expanded))


def cell_of(recipe: Recipe, common: Sequence[str], settings: Mapping[str, str], case: str | None) -> Cell:
    """The trial of a recipe with settings by key over those that hold for all; `STUDY` may be its head.

    Raises:
        UserError: a value that does not fit its setting or contradicts another one.
    """
    head = settings[HEAD]
    others = [f"{key}={text}" for key, text in settings.items() if key != HEAD]
    own, build = taken_apart([*common, *others])
    config = override(recipe.base, own)
    model = config.model
    head = checked_head(study_head(model.backbone) if head == STUDY else head)
    model = recipe.network(dataclasses.replace(model, head=head))
    return Cell(config=dataclasses.replace(config, model=model), case=case, build=build)


def _double(settings: Mapping[str, str], kept: Mapping[str, str]) -> str:
    """Which cell is the same as which other, in words."""
    differing = [key for key in settings if settings.get(key) != kept.get(key)]
    texts = (", ".join(f"{key} {cell.get(key, '-')}" for key in differing) for cell in (settings, kept))
    return " is the same as ".join(texts)


def check_axes(space: Space) -> None:
    """UserError where a setting is not known, not to be varied, or varied and fixed at the same time."""
    common = by_key(space.settings)
    check_common(space.settings)
    varied = {axis.name for axis in space.axes if axis.name != CASE}
    for axis in space.axes:
        for each in axis.choices:
            found = by_key(each.settings)
            where = f"case '{each.name}'" if axis.name == CASE else axis.name
            for key in found:
                if axis.name != CASE and key in common:
                    raise UserError(f"{key} is varied, and set to {common[key]} for all trials: do one")
                if axis.name == CASE and key in varied | {RECIPE, SEED}:
                    raise UserError(f"{where} sets {key}, an axis of its own: leave it out of the case")
            head = found.pop(HEAD, STUDY)
            if head not in HEAD_CHOICES and "." not in head:
                listed = ", ".join(HEAD_CHOICES)
                raise UserError(f"unknown head '{head}'{nearest(head, HEAD_CHOICES)}; heads: {listed}")
            try:
                check_varied([f"{key}={text}" for key, text in found.items()])
            except UserError as error:
                raise UserError(f"{where}: {error}") from None


def check_networks(configs: Sequence[TrialConfig]) -> None:
    """UserError where there is no such backbone, or no such network of backbone and head."""
    from epropnp.models.backbones import check_backbone  # only now: all that needs no networks is checked

    models = dict.fromkeys(config.model for config in configs)
    for backbone in dict.fromkeys(model.backbone for model in models):
        check_backbone(backbone)
    for bare in dict.fromkeys(model.bare for model in models):
        _check_network(bare)


@functools.cache  # of those that can be had: a process asks for the same ones again and again
def _check_network(bare: ModelConfig) -> None:
    import torch

    from epropnp.models.network import CorrespondenceNet

    with torch.device("meta"):
        CorrespondenceNet(bare)
