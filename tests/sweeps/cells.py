"""A tiny recipe, and the cells and named trials of recipes, as short as tests want to write them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from epropnp.training.identity import trial_hash
from epropnp.training.recipes import RECIPES, Recipe
from sweeps.search.search import Planned
from sweeps.space import BACKBONE, HEAD, SEED, WEIGHT, Axis, Cell, Space, plan

KEYS = {"backbones": BACKBONE, "heads": HEAD, "loss_weights": WEIGHT, "seeds": SEED}


def tiny_recipe() -> Recipe:
    """Seconds per trial: 64 px, a toy network, two epochs of two steps, the smallest dataset."""
    base = RECIPES["quick"].base
    return dataclasses.replace(
        RECIPES["quick"],
        name="tiny",
        base=dataclasses.replace(
            base,
            recipe="tiny",
            model=dataclasses.replace(base.model, input_px=64, head_width=16),
            pnp=dataclasses.replace(base.pnp, amis_samples=8),
            optim=dataclasses.replace(base.optim, epochs=2, batch_size=4, precision="float32"),
            data=dataclasses.replace(base.data, points=32),
            evaluation=dataclasses.replace(base.evaluation, proposals=4, iterations=3),
        ),
        backbones=("test_resnet", "test_convnext"),
        objects=("ape",),
        loss_weights=(0.02,),
        train=8,
        validation=4,
        test=4,
    )


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
        Planned(
            name=f"trial-{trial_hash(cell.config, '')}",
            config=cell.config,
            dataset_id="",
            case=cell.case,
            build=cell.build,
        )
        for cell in cells
    )
