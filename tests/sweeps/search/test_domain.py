"""What a search may choose, the cells that choices make, and the way back from a trial to choices."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe, small
from sweeps.search.parts import parts_of
from sweeps.search.ranges import searched
from sweeps.space import CASE, OWN, Axis, Choice, plan
from tests.sweeps.cells import space
from tests.sweeps.search.domains import IDS, domain_of

RATES = "optim.lr=1e-4:1e-2:log"


def cases(setting: str) -> Axis:
    return Axis(name=CASE, choices=(Choice(name="a", settings=(setting,)), Choice(name="b", settings=())))


def test_every_choice_of_a_grid_makes_the_cell_of_the_grid(tiny: Recipe) -> None:
    other = dataclasses.replace(tiny, name="other", base=dataclasses.replace(tiny.base, recipe="other"))
    axes = (Axis.of("data.points", [16, 32]), cases("loss.coord=0.5"))
    given = space([tiny, other], *axes, heads=["deconv", "study"], seeds=[3, 1])
    domain = domain_of(given)
    made = [domain.cell(params, seed) for params in domain.combinations() for seed in domain.seeds]
    assert set(made) == set(plan(given).cells)
    assert domain.size == 32
    assert domain.seeds == (3, 1)
    for params in domain.combinations():
        again = domain.params_of(domain.cell(params, 7).config, "d", IDS)
        assert again is not None
        assert domain.cell(again, 7).config == domain.cell(params, 7).config  # `study` is one of the heads


def other_recipe(tiny: Recipe, *weights: float, backbones: Sequence[str] = ("test_resnet",)) -> Recipe:
    base = dataclasses.replace(tiny.base, recipe="other")
    return dataclasses.replace(
        tiny, name="other", base=base, loss_weights=weights, backbones=tuple(backbones)
    )


@pytest.mark.parametrize(
    ("weights", "backbones", "axes"),
    [
        ((0.3,), ("test_vit",), {"recipe", "model.backbone"}),  # a weight each is no choice
        ((0.3, 0.1), ("test_resnet", "test_convnext"), {"recipe", "model.backbone", "loss.mc"}),
    ],
)
def test_each_recipe_is_tried_with_its_own_values_only(
    tiny: Recipe, weights: Sequence[float], backbones: Sequence[str], axes: set[str]
) -> None:
    given = space([tiny, other_recipe(tiny, *weights, backbones=backbones)])
    domain, grid = domain_of(given), set(plan(given).cells)
    combinations = list(domain.combinations())
    assert {domain.cell(params, 0) for params in combinations} == grid
    assert set(domain.cells) == grid
    assert domain.size == len(combinations) == len(grid)
    assert set(domain.texts) == axes
    for params in combinations:
        assert domain.params_of(domain.cell(params, 0).config, "d", IDS) == params
    parts = parts_of(domain_of(given, RATES), "model.backbone")
    rate = {"optim.lr": 1e-3}
    found = [part.cell({**names, **rate}, 0) for part in parts.values() for names in part._named()]
    assert len(found) == len(grid)
    assert {(c.config.recipe, c.config.model.backbone, c.config.loss.mc) for c in found} == {
        (c.config.recipe, c.config.model.backbone, c.config.loss.mc) for c in grid
    }


def test_another_recipe_s_own_value_is_refused(tiny: Recipe) -> None:
    domain = domain_of(space([tiny, other_recipe(tiny, 0.02, backbones=["test_vit"])]))
    with pytest.raises(
        UserError, match="recipe tiny is tried with values of its own, and not with another's"
    ):
        domain.cell({"recipe": "tiny", "model.backbone": "test_vit"}, 0)


def test_beside_its_own_value_each_recipe_is_tried_with_those_that_are_named(tiny: Recipe) -> None:
    weights = Axis(name="loss.mc", choices=(OWN, *Axis.of("loss.mc", [0.5]).choices))
    given = space([tiny, other_recipe(tiny, 0.3)], weights, backbones=["test_resnet"])
    domain = domain_of(given)
    found = [domain.cell(params, 0) for params in domain.combinations()]
    assert [(cell.config.recipe, cell.config.loss.mc) for cell in found] == [
        ("tiny", 0.02),
        ("tiny", 0.5),
        ("other", 0.3),
        ("other", 0.5),
    ]
    assert set(found) == set(plan(given).cells)


def test_numbers_go_over_the_recipe(tiny: Recipe) -> None:
    given = space(tiny, cases("loss.coord=0.5"), backbones=["test_resnet"])
    domain = domain_of(given, RATES, "data.points=16:64:step16")
    params: dict[str, Any] = {"optim.lr": 0.0012, "data.points": 48}
    config = domain.cell({CASE: "b", **params}, 5).config
    assert (config.optim.lr, config.data.points, config.seed) == (0.0012, 48, 5)
    assert domain.params_of(config, "d", IDS) == {CASE: "b", **params}
    assert domain.size is None


def test_what_a_space_does_not_hold_has_no_choices(tiny: Recipe) -> None:
    domain = domain_of(space(tiny, backbones=["test_resnet"]), RATES, "model.head=deconv,direct")
    config = domain.cell({"optim.lr": 0.001, "model.head": "deconv"}, 0).config
    assert domain.params_of(config, "d", IDS) == {"optim.lr": 0.001, "model.head": "deconv"}
    for change in (
        dataclasses.replace(config, optim=dataclasses.replace(config.optim, lr=0.02)),
        dataclasses.replace(config, optim=dataclasses.replace(config.optim, epochs=3)),
        dataclasses.replace(config, model=dataclasses.replace(config.model, head="fpn")),
        dataclasses.replace(config, recipe="other"),
    ):
        assert domain.params_of(change, "d", IDS) is None
    assert domain.params_of(config, "of other data", IDS) is None
    given = space(tiny, backbones=["test_resnet", "test_vit"])
    wider = domain_of(given, RATES, "model.head=deconv,direct,fpn")
    expected = {"optim.lr": 0.001, "model.head": "deconv", "model.backbone": "test_resnet"}
    assert wider.params_of(config, "d", IDS) == expected  # what was fixed is a choice now


def test_choices_are_kept_as_long_as_the_space_has_them(tiny: Recipe) -> None:
    domain = domain_of(space(tiny, backbones=["test_resnet"]), RATES, "model.head=deconv,direct")
    assert domain.holds({"optim.lr": 0.001, "model.head": "deconv"})
    assert not domain.holds({"optim.lr": 0.1, "model.head": "deconv"})
    assert not domain.holds({"optim.lr": 0.001, "model.head": "fpn"})
    assert not domain.holds({"optim.lr": 0.001})


def test_seeds_are_those_of_the_recipe_if_none_are_given(tiny: Recipe) -> None:
    assert domain_of(space(tiny), RATES).seeds == (tiny.base.seed,)


def test_cells_stand_for_all_combinations_that_make_a_network(tiny: Recipe) -> None:
    backbones = ("test_resnet", "test_convnext")
    domain = domain_of(space(tiny, backbones=backbones), RATES, "model.head=deconv,direct")
    found = {(c.config.model.backbone, c.config.model.head, c.config.optim.lr) for c in domain.cells}
    assert found == {(b, h, 1e-4) for b in backbones for h in ("deconv", "direct")}


@pytest.mark.parametrize(
    ("axes", "texts", "said"),
    [
        ({"backbones": ["test_resnett"]}, [RATES], "test_resnett"),
        ({"heads": ["decon"]}, [RATES], "unknown head 'decon'"),
        ({}, ["model.head=decon,fpn"], "unknown head 'decon'"),
        ({"loss_weights": [0.1]}, ["loss.mc=0:1"], "loss.mc is searched, and has values of an axis"),
    ],
)
def test_what_is_misspelt_is_said_before_anything_is_drawn(
    tiny: Recipe, axes: dict[str, Any], texts: list[str], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        _ = domain_of(space(tiny, **axes), *texts).cells


def test_what_is_set_for_all_or_by_a_case_is_not_searched(tiny: Recipe) -> None:
    with pytest.raises(UserError, match=r"optim.lr is searched, and set by case 'a': do one"):
        domain_of(space(tiny, cases("optim.lr=0.5")), RATES)
    with pytest.raises(UserError, match=r"optim.lr is searched, and set to 0.1 for all trials: do one"):
        domain_of(space(tiny, settings=["optim.lr=0.1"]), RATES)


def test_where_no_combination_makes_a_network_the_reason_is_said(tiny: Recipe) -> None:
    with pytest.raises(UserError, match="accumulate"):
        _ = domain_of(space(tiny, settings=["optim.batch_size=4"]), "optim.accumulate=3,8").cells


def test_the_study_s_own_recipe_can_be_searched() -> None:
    domain = domain_of(space([small(RECIPES["paper"])]), "model.drop_path=0.1,0.3")
    (first, *_) = [cell for cell in domain.cells if cell.config.model.drop_path == 0.3]
    params = domain.params_of(first.config, "d", IDS)
    assert params is not None
    assert params["model.drop_path"] == "0.3"


def test_an_axis_is_what_a_list_is(tiny: Recipe) -> None:
    assert searched("optim.batch_size=2,4") == Axis.of("optim.batch_size", [2, 4])
