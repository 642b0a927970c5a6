"""Cells and named trials of a recipe, as short as tests want to write them."""

from collections.abc import Sequence
from typing import Any

from epropnp.training.identity import trial_hash
from epropnp.training.recipes import Recipe
from sweeps.search.search import Planned
from sweeps.space import BACKBONE, HEAD, SEED, WEIGHT, Axis, Cell, Space, plan

KEYS = {"backbones": BACKBONE, "heads": HEAD, "loss_weights": WEIGHT, "seeds": SEED}


def space(
    recipes: Recipe | Sequence[Recipe], *more: Axis, settings: Sequence[str] = (), **axes: Any
) -> Space:
    """Of recipes, with axes by the names of the main job's flags, and others."""
    found = [Axis.of(KEYS[name], values) for name, values in axes.items()]
    listed = [recipes] if isinstance(recipes, Recipe) else recipes
    return Space(recipes=listed, axes=[*found, *more], settings=settings)


def cells_of(
    recipes: Recipe | Sequence[Recipe], *more: Axis, settings: Sequence[str] = (), **axes: Any
) -> list[Cell]:
    """The cells of such a space."""
    return list(plan(space(recipes, *more, settings=settings, **axes)).cells)


def trials_of(
    recipes: Recipe | Sequence[Recipe], *more: Axis, settings: Sequence[str] = (), **axes: Any
) -> tuple[Planned, ...]:
    """The same with a name each, on no dataset in particular."""
    cells = cells_of(recipes, *more, settings=settings, **axes)
    return tuple(
        Planned(name=f"trial-{trial_hash(cell.config, '')}", config=cell.config, case=cell.case)
        for cell in cells
    )
