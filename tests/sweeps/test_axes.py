"""From command lines to a space: what the flags of one stand for, and what later ones add."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe
from sweeps import axes
from sweeps.axes import doubles, merged, space_of
from sweeps.backbones import DESCRIPTION, PROG, parse
from sweeps.flag_checks import check_flags
from sweeps.flags import SweepConfig
from sweeps.space import Cell, plan


@pytest.fixture
def recipes(tiny: Recipe) -> Mapping[str, Recipe]:
    return dict(RECIPES) | {"quick": dataclasses.replace(tiny, backbones=("test_resnet",))}


def flags(line: str) -> SweepConfig:
    config = parse(SweepConfig, DESCRIPTION, line.split(), PROG)
    check_flags(config)
    return config


def cells(recipes: Mapping[str, Recipe], *lines: str) -> list[Cell]:
    first, *later = lines
    commands = [flags(f"--recipe quick {first}"), *map(flags, later)]
    return list(plan(space_of(commands, recipes)).cells)


def values(found: list[Cell], *keys: str) -> list[tuple[Any, ...]]:
    def value(cell: Cell, key: str) -> Any:
        part: Any = cell.config
        for name in key.split("."):
            part = getattr(part, name)
        return part

    return [tuple(value(cell, key) for key in keys) for cell in found]


def test_the_flags_of_a_trial_reach_its_config(recipes: Mapping[str, Recipe]) -> None:
    line = (
        "--backbones test_vit --heads fpn --loss-weights 0.5 --seeds 7 --epochs 9 --pretrained no "
        "--vary optim.lr 0.5 --case a pnp.amis_samples=5 --set data.points=16"
    )
    (cell,) = cells(recipes, line)
    model, config = cell.config.model, cell.config
    assert (model.backbone, model.head, model.pretrained) == ("test_vit", "fpn", False)
    assert (config.loss.mc, config.seed, config.optim.epochs, config.optim.lr) == (0.5, 7, 9, 0.5)
    assert (config.pnp.amis_samples, config.data.points, cell.case) == (5, 16, "a")


def test_short_flags_and_vary_are_the_same(recipes: Mapping[str, Recipe]) -> None:
    short = cells(
        recipes, "--backbones test_vit test_resnet --heads fpn study --loss-weights 0.5 --seeds 1 0"
    )
    long = cells(
        recipes,
        "--vary seed 1 0 --vary model.backbone test_vit test_resnet --vary loss.mc 0.5 "
        "--vary model.head fpn study",
    )
    assert short == long
    assert len(short) == 8


def test_rates_cases_and_seeds_multiply(recipes: Mapping[str, Recipe]) -> None:
    found = cells(
        recipes, "--vary optim.lr 1e-3 3e-3 --case a --case b loss.mc=0 loss.deriv_t=0.5 --seeds 0 1"
    )
    assert len(found) == 8
    assert values(found, "optim.lr", "loss.mc", "loss.deriv_t", "seed")[:4] == [
        (0.001, 0.02, 1.0, 0),
        (0.001, 0.02, 1.0, 1),
        (0.001, 0.0, 0.5, 0),
        (0.001, 0.0, 0.5, 1),
    ]


def test_settings_of_data_are_axes_like_any_other(recipes: Mapping[str, Recipe]) -> None:
    line = (
        "--set build.test=9 build.distance=0.5,1 --vary build.train 5 50 --seeds 0 1 "
        "--case clean build.occluders=none --case crowd build.occluders=cat,ape"
    )
    found = cells(recipes, line)
    common = "build.distance=0.5,1.0"
    assert [(cell.case, cell.config.seed, cell.build) for cell in found] == [
        (case, seed, (common, f"build.occluders={names}", "build.test=9", f"build.train={count}"))
        for count in (5, 50)
        for case, names in (("clean", "none"), ("crowd", "cat,ape"))
        for seed in (0, 1)
    ]
    plain = cells(recipes, "--seeds 0 1")
    assert [cell.config for cell in found] == [cell.config for cell in plain] * 4
    assert {cell.build for cell in plain} == {()}


def test_a_later_command_varies_data_that_were_the_same_for_all(recipes: Mapping[str, Recipe]) -> None:
    (first,) = cells(recipes, "--set build.train=5")
    assert first.build == ("build.train=5",)
    wider = cells(recipes, "--set build.train=5", "--vary build.train 50")
    assert [cell.build for cell in wider] == [("build.train=5",), ("build.train=50",)]
    assert wider[0] == first
    assert [cell.build for cell in cells(recipes, "", "--vary build.train 50")] == [(), ("build.train=50",)]


def test_later_commands_add_values_also_where_old_ones_are_repeated(recipes: Mapping[str, Recipe]) -> None:
    first = "--vary optim.lr 1e-3 3e-3 --seeds 0 1"
    before = cells(recipes, first)
    for line in ("--seeds 2", "--seeds 1 2", "--seeds 0 1 2"):
        after = cells(recipes, first, line)
        assert values(after, "optim.lr", "seed") == [(lr, s) for lr in (1e-3, 3e-3) for s in (0, 1, 2)]
        assert set(values(before, "optim.lr", "seed")) < set(values(after, "optim.lr", "seed"))
    assert cells(recipes, first, first) == before
    wider = cells(recipes, first, "--vary optim.lr 1e-2", "--vary optim.lr 3e-3 1e-4")
    assert {lr for (lr,) in values(wider, "optim.lr")} == {1e-3, 3e-3, 1e-2, 1e-4}


def test_an_axis_that_a_later_command_names_first_keeps_what_was_trained(
    recipes: Mapping[str, Recipe],
) -> None:
    before = cells(recipes, "--seeds 0 1")
    after = cells(recipes, "--seeds 0 1", "--vary data.points 16")
    assert [cell for cell in after if cell.config.data.points == 32] == before
    assert values(after, "data.points", "seed") == [(32, 0), (32, 1), (16, 0), (16, 1)]
    wider = cells(recipes, "", "--backbones test_vit", "--case more data.points=16", "--loss-weights 0.25")
    assert {
        (*values([cell], "model.backbone", "loss.mc", "data.points")[0], cell.case) for cell in wider
    } == {
        (name, weight, points, case)
        for name in ("test_resnet", "test_vit")
        for weight in (0.02, 0.25)
        for points, case in ((32, None), (16, "more"))
    }


def test_an_axis_of_what_was_set_for_all_keeps_that_value(recipes: Mapping[str, Recipe]) -> None:
    first = "--epochs 2 --set data.points=16 optim.lr=1e-3"
    before = cells(recipes, first)
    after = cells(recipes, first, "--vary optim.epochs 3 --vary data.points 8", "--vary optim.epochs 4")
    assert values(after, "optim.epochs", "data.points", "optim.lr") == [
        (epochs, points, 1e-3) for epochs in (2, 3, 4) for points in (16, 8)
    ]
    assert before[0] == after[0]
    with pytest.raises(UserError, match=r"data\.points is varied, and set to 16 for all trials"):
        cells(recipes, f"{first} --vary data.points 8")


def test_recipes_keep_their_order_come_once_and_small_ones_are_small() -> None:
    found = space_of([flags("--recipe best quick best")], RECIPES).recipes
    assert found == [RECIPES["best"], RECIPES["quick"]]
    small = space_of([flags("--recipe best --small"), flags("--recipe quick best")], RECIPES).recipes
    assert [recipe.name for recipe in small] == ["best", "quick"]
    assert {recipe.base.model.input_px for recipe in small} == {128}
    assert small[0].base.loss == RECIPES["best"].base.loss


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        ("--epochs 2", "--epochs 3", "`--vary optim.epochs 3` adds trials with 3"),
        ("", "--epochs 3", "have optim.epochs as its recipe has it: `--vary optim.epochs 3`"),
        ("--set optim.lr=1e-3", "--set optim.lr=3e-3", "have optim.lr=1e-3: `--vary optim.lr 3e-3`"),
        ("", "--pretrained", "`--vary model.pretrained yes`"),
        ("", "--set build.train=9", "have build.train as its recipe has it: `--vary build.train 9` adds"),
        ("--set build.test=9", "--set build.test=8", "have build.test=9: it decides what is tested"),
        ("", "--small", "--small: the sweep was started without it"),
        ("--case a loss.mc=1", "--case a loss.mc=2", "--case a stands for loss.mc=1, and not for loss.mc=2"),
        ("--case a", "--case a loss.mc=2", "--case a stands for no setting, and not for loss.mc=2"),
        ("--seeds 0 --vary seed 1", "", "--vary: seed is varied by --seeds already"),
        ("--vary optim.lr 1 --vary optim.lr 2", "", "--vary: optim.lr is varied by --vary already"),
    ],
)
def test_what_holds_for_all_trials_stays(
    recipes: Mapping[str, Recipe], first: str, later: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        cells(recipes, first, later)


def test_settings_that_no_number_depends_on_may_change(recipes: Mapping[str, Recipe]) -> None:
    (cell,) = cells(recipes, "--set data.workers=1", "--set data.workers=3")
    assert cell.config.data.workers == 3


def test_the_last_command_says_where_and_how_to_run() -> None:
    first = flags("--recipe quick --trials-at-once 3 --ray-address a:1 --epochs 3 --set optim.lr=1")
    found = merged([first, flags("--trials-at-once 2 --resume"), flags("--datasets d --seeds 1")])
    assert (found.trials_at_once, found.ray_address, str(found.datasets)) == (2, "a:1", "d")
    assert (found.resume, found.epochs, found.settings) == (True, 3, ["optim.lr=1"])


def test_values_given_twice_are_said() -> None:
    assert doubles(flags("--seeds 0 1 0 0 --vary optim.lr 1e-3 1e-3 --loss-weights 1 2")) == [
        "seed 0, given twice",
        "optim.lr 1e-3, given twice",
    ]


def test_every_short_flag_is_a_setting() -> None:
    assert set(axes.SHORT) <= set(vars(SweepConfig()))
