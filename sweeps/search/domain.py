"""All cells that a search may try: what it can choose, the cell that a choice makes, and the way back."""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, product

from epropnp.errors import UserError
from epropnp.models.config import ModelConfig
from epropnp.plain import flatten
from epropnp.training.config import TrialConfig
from epropnp.training.identity import trial_hash
from epropnp.training.overrides import override, typed
from epropnp.training.recipes import Recipe, study_head
from sweeps.build_settings import Build, taken_apart
from sweeps.search.asked import Params, Value
from sweeps.search.ranges import NumberRange
from sweeps.space import (
    BACKBONE,
    CASE,
    HEAD,
    OWN,
    RECIPE,
    SEED,
    STUDY,
    Axis,
    Cell,
    Choice,
    Space,
    by_key,
    cell_of,
    check_axes,
    check_networks,
    choices_of,
    ordered,
)

SHARES = (0, 1, 0.5, 0.25, 0.75, 0.125, 0.375, 0.625, 0.875)  # of each range, until one makes a training
LISTED = 10_000  # combinations of choices that are looked at before anything starts


class Domain:
    """What a search draws from.

    Args:
        space: its recipes and axes, each a choice of the search; seeds repeat what is chosen.
        ranges: of numbers.
        completed: gives the settings of a cell's data their full form.

    Raises:
        UserError: an unknown setting or backbone, a value that does not fit, a setting that is given in two
            ways, or no combination of choices that makes a network.
    """

    def __init__(
        self,
        space: Space,
        ranges: Sequence[NumberRange],
        completed: Callable[[Build], Build] = lambda build: build,
    ) -> None:
        self._space, self._completed = space, completed
        self._refusals: dict[ModelConfig, UserError | None] = {}  # of networks; None: it can be built
        self.ranges = {each.key: each for each in ranges}
        given = {axis.name: axis.choices for axis in space.axes}
        self._check(space)
        axes = [name for name in ordered(given) if name != SEED and name not in self.ranges]
        found = {name: _by_recipe(space.recipes, name, given.get(name, (OWN,))) for name in axes}
        self._by_recipe = {r.name: {name: found[name][r.name] for name in axes} for r in space.recipes}
        self._choices = {
            name: list(dict.fromkeys(each for own in found[name].values() for each in own)) for name in axes
        }
        usual = str(space.recipes[0].base.seed)  # stands for what trials had before seeds were listed
        names = dict.fromkeys(choice.name or usual for choice in given.get(SEED, (OWN,)))
        self.seeds = tuple(map(int, names))

    @cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """By axis, the names of its choices."""
        recipes = tuple(recipe.name for recipe in self._space.recipes)
        return {RECIPE: recipes} | {
            name: tuple(choice.name for choice in choices) for name, choices in self._choices.items()
        }

    @cached_property
    def texts(self) -> dict[str, tuple[str, ...]]:
        """The same of the axes that have several."""
        return {name: texts for name, texts in self.names.items() if len(texts) > 1}

    def only(self, axis: str, name: str) -> "Domain":
        """The domain with one choice of an axis."""
        space = self._space
        if axis == RECIPE:
            own = [recipe for recipe in space.recipes if recipe.name == name]
            space = dataclasses.replace(space, recipes=own)
        else:
            chosen = next(choice for choice in self._choices[axis] if choice.name == name)
            having = [each for each in space.recipes if chosen in self._by_recipe[each.name][axis]]
            others = [each for each in space.axes if each.name != axis]
            axes = [*others, Axis(name=axis, choices=(chosen,))]
            space = dataclasses.replace(space, recipes=having, axes=axes)
        found = Domain(space, list(self.ranges.values()), self._completed)
        found._refusals = self._refusals
        return found

    @property
    def size(self) -> int | None:
        """How many combinations there are; None where there is no end of them."""
        chosen = sum(math.prod(map(len, own.values())) for own in self._by_recipe.values())
        counts = [each.count for each in self.ranges.values()]
        return None if None in counts else chosen * math.prod(count for count in counts if count is not None)

    def combinations(self) -> Iterator[dict[str, Value]]:
        """All of a domain that has an end."""
        for names in self._named():
            for numbers in product(*(each.values() for each in self.ranges.values())):
                yield {**names, **dict(zip(self.ranges, numbers, strict=True))}

    def _named(self) -> Iterator[dict[str, str]]:
        """The names of all choices that go together."""
        found = (dict(zip(self.texts, names, strict=True)) for names in product(*self.texts.values()))
        return filter(self._fits, found)

    def _recipe(self, params: Params) -> Recipe:
        recipes = self._space.recipes
        return next(each for each in recipes if each.name == params.get(RECIPE, recipes[0].name))

    def _fits(self, params: Params) -> bool:
        """Whether the recipe that was chosen has all other choices."""
        own = self._by_recipe[self._recipe(params).name]
        texts = [name for name in self.texts if name != RECIPE]
        return all(params[name] in [each.name for each in own[name]] for name in texts)

    def holds(self, params: Params) -> bool:
        """Whether it still has all these choices, and no others to make."""
        names = self.texts.keys() | self.ranges.keys()
        return params.keys() == names and all(
            value in (self.ranges[name] if name in self.ranges else self.texts[name])
            for name, value in params.items()
        )

    def cell(self, params: Params, seed: int) -> Cell:
        """The cell that these choices make. UserError where there is no such network or training."""
        recipe = self._recipe(params)
        if not self._fits(params):
            raise UserError(f"recipe {recipe.name} is tried with values of its own, and not with another's")
        settings = {key: typed(params[key]) for key in self.ranges}
        case = None
        for name, choices in self._choices.items():
            chosen = next(each for each in choices if each.name == params.get(name, choices[0].name))
            (own,) = choices_of(recipe, name, [chosen])
            settings |= by_key(own.settings)
            case = (chosen.name or None) if name == CASE else case
        found = cell_of(recipe, self._space.settings, settings | {SEED: str(seed)}, case)
        return dataclasses.replace(found, build=self._completed(found.build))

    def network(self, params: Params) -> Cell:
        """The cell of the first seed; UserError where there is no such training, or no such network."""
        cell = self.cell(params, self.seeds[0])
        model = cell.config.model
        if model not in self._refusals:
            self._refusals[model] = None
            try:
                check_networks([cell.config])
            except UserError as error:
                self._refusals[model] = error
        if (refusal := self._refusals[model]) is not None:
            raise refusal
        return cell

    def _check(self, space: Space) -> None:
        names, common = [axis.name for axis in space.axes], by_key(space.settings)
        cases = [each for axis in space.axes if axis.name == CASE for each in axis.choices]
        for key in self.ranges:
            if key in names:
                raise UserError(f"{key} is searched, and has values of an axis: do one")
            case = next((case.name for case in cases if key in by_key(case.settings)), None)
            if case is not None:
                raise UserError(f"{key} is searched, and set by case '{case}': do one")
            if key in common:
                raise UserError(f"{key} is searched, and set to {common[key]} for all trials: do one")
        check_axes(space)

    @cached_property
    def cells(self) -> list[Cell]:
        """One cell of each combination of choices, as far as they can be had, with numbers of all ranges.

        Raises:
            UserError: an unknown backbone, or no combination that makes a network.
        """
        from epropnp.models.backbones import check_backbone  # brings torch

        for choice in self._choices[BACKBONE]:
            for backbone in by_key(choice.settings).values():
                check_backbone(backbone)
        found: dict[tuple[TrialConfig, Build], Cell] = {}
        refusal = None
        for names in islice(self._named(), LISTED):
            for share in SHARES:
                numbers = {k: r.nearest(r.low + share * (r.high - r.low)) for k, r in self.ranges.items()}
                try:
                    cell = self.network({**numbers, **names})
                except UserError as error:
                    refusal = refusal or error
                    continue
                found.setdefault((cell.config, cell.build), cell)
                break
        if not found and refusal is not None:
            raise refusal
        return list(found.values())

    def params_of(
        self, config: TrialConfig, dataset_id: str, ids: Mapping[Build, str], drawn: Params | None = None
    ) -> dict[str, Value] | None:
        """The choices that make a trial; None where none do.

        Args:
            config, dataset_id: of the trial.
            ids: of the datasets, by settings of the data.
            drawn: what it was made from; where several choices make it, these are preferred.
        """
        if drawn is not None and self.holds(drawn) and self._makes(drawn, config, dataset_id, ids):
            return dict(drawn)
        flat = flatten(config)
        found: dict[str, Value] = {}
        for key, each in self.ranges.items():
            value = flat[key]
            if value not in each or not isinstance(value, int | float):
                return None
            found[key] = value
        fitting: dict[str, list[str]] = {}
        for name, texts in self.texts.items():
            if name == RECIPE:
                fitting[name] = [text for text in texts if text == config.recipe]
            else:
                fitting[name] = [each.name for each in self._choices[name] if _holds(each, config)]
        for names in product(*fitting.values()):
            params = found | dict(zip(fitting, names, strict=True))
            if self._makes(params, config, dataset_id, ids):
                return params
        return None

    def _makes(self, params: Params, config: TrialConfig, dataset_id: str, ids: Mapping[Build, str]) -> bool:
        try:
            cell = self.cell(params, config.seed)
        except UserError:
            return False
        own = ids.get(cell.build)
        return own == dataset_id and trial_hash(cell.config, own) == trial_hash(config, dataset_id)


def _by_recipe(recipes: Sequence[Recipe], name: str, given: Sequence[Choice]) -> dict[str, list[Choice]]:
    """The choices of an axis by recipe: none is tried with what another one compares by default.

    OWN stays one choice where each recipe has one value, and not all the same.
    """
    own = {tuple(choices_of(each, name, (OWN,))) for each in recipes}
    if len(own) > 1 and all(len(each) == 1 for each in own):
        return {each.name: list(dict.fromkeys(given)) for each in recipes}
    return {each.name: choices_of(each, name, given) for each in recipes}


def _holds(choice: Choice, config: TrialConfig) -> bool:
    """Whether a trial has what a choice says of its training."""
    own, _ = taken_apart(choice.settings)
    head = study_head(config.model.backbone)
    meant = [f"{HEAD}={head}" if each == f"{HEAD}={STUDY}" else each for each in own]
    try:
        return override(config, meant) == config
    except UserError:
        return False
