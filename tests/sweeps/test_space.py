"""The cells of a space: which trials there are, in which order, and what each of them is trained with."""

import dataclasses
from itertools import product
from typing import Any

import pytest
import torch

from epropnp.errors import UserError
from epropnp.models import network
from epropnp.plain import flatten
from epropnp.training.recipes import RECIPES, Recipe
from sweeps.space import CASE, OWN, Axis, Cell, Choice, Space, _check_network, fetch_weights, plan
from tests.sweeps.cells import cells_of, space

KEYS = ("recipe", "model.backbone", "model.head", "loss.mc", "seed")


def key(cell: Cell, *more: str) -> tuple[Any, ...]:
    return tuple(flatten(cell.config)[name] for name in (*KEYS, *more))


def case(name: str, *settings: str) -> Choice:
    return Choice(name=name, settings=settings)


def other_recipe(tiny: Recipe, **changes: Any) -> Recipe:
    base = dataclasses.replace(tiny.base, recipe="other")
    given: dict[str, Any] = {"name": "other", "base": base}
    return dataclasses.replace(tiny, **(given | changes))


@pytest.mark.slow
def test_default_is_each_backbone_of_the_recipe_under_the_head_of_the_study() -> None:
    pairs = [(c.config.model.backbone, c.config.model.head) for c in cells_of(RECIPES["quick"])]
    assert pairs == [
        ("resnet10t", "deconv"),
        ("swin_nano_patch4_window8", "deconv"),
        ("convnext_zepto_rms", "deconv"),
        ("hrnet_w18_small", "direct"),
    ]


def test_the_axes_multiply_in_their_order(tiny: Recipe) -> None:
    names, heads, weights, seeds = ["test_vit", "test_resnet"], ["fpn", "deconv"], [0.5, 0.02], [7, 0, 3]
    # Given in another order: seeds vary fastest, then cases, then what has no flag of its own.
    axes = [
        Axis.of("seed", seeds),
        Axis(name=CASE, choices=(case("a"), case("b", "data.points=16"))),
        Axis.of("optim.lr", [0.5, 0.25]),
        Axis.of("loss.mc", weights),
        Axis.of("model.backbone", names),
        Axis.of("model.head", heads),
    ]
    cells = plan(Space(recipes=[tiny], axes=axes)).cells
    wanted = product(["tiny"], names, heads, weights, [0.5, 0.25], [32, 16], seeds)
    found = [key(cell, "optim.lr", "data.points") for cell in cells]
    assert found == [(*first, seed, lr, points) for *first, lr, points, seed in wanted]
    assert [cell.case for cell in cells[:6]] == ["a"] * 3 + ["b"] * 3


def test_nothing_but_the_axes_differs_from_the_recipe(tiny: Recipe) -> None:
    more = Axis.of("optim.clip_norm", [None])
    axes = {"backbones": ["test_vit"], "heads": ["fpn"], "loss_weights": [0.5], "seeds": [7]}
    (cell,) = cells_of(tiny, more, settings=["data.points=16"], **axes)
    given = {"model.backbone": "test_vit", "model.head": "fpn", "loss.mc": 0.5, "seed": 7}
    given |= {"optim.clip_norm": "None", "data.points": 16}
    assert flatten(cell.config) == flatten(tiny.base) | given
    assert cell.case is None


def test_each_recipe_brings_its_own_backbones_weights_and_settings(tiny: Recipe) -> None:
    optim = dataclasses.replace(tiny.base.optim, lr=0.25)
    base = dataclasses.replace(tiny.base, recipe="other", optim=optim)
    other = other_recipe(tiny, base=base, backbones=("test_vit", "test_resnet"), loss_weights=(0.3, 0.1))
    cells = cells_of([other, tiny])
    assert [key(cell) for cell in cells] == [
        ("other", "test_vit", "deconv", 0.3, 0),
        ("other", "test_vit", "deconv", 0.1, 0),
        ("other", "test_resnet", "deconv", 0.3, 0),
        ("other", "test_resnet", "deconv", 0.1, 0),
        ("tiny", "test_resnet", "deconv", 0.02, 0),
        ("tiny", "test_convnext", "deconv", 0.02, 0),
    ]
    assert [cell.config.optim.lr for cell in cells] == [0.25] * 4 + [tiny.base.optim.lr] * 2


def test_hrnets_have_the_direct_head_in_the_study_and_others_deconvolutions() -> None:
    cells = cells_of(RECIPES["quick"], backbones=["hrnet_w18_small", "resnet10t"])
    assert [cell.config.model.head for cell in cells] == ["direct", "deconv"]


def test_study_is_the_head_of_the_backbone_that_a_case_names(tiny: Recipe) -> None:
    recipe = dataclasses.replace(RECIPES["quick"], backbones=("resnet10t",))
    cases = Axis(name=CASE, choices=(case("hr", "model.backbone=hrnet_w18_small"), case("res")))
    found = [(c.case, c.config.model.backbone, c.config.model.head) for c in cells_of(recipe, cases)]
    assert found == [("hr", "hrnet_w18_small", "direct"), ("res", "resnet10t", "deconv")]


def test_a_case_goes_over_what_the_recipe_compares_and_what_holds_for_all(tiny: Recipe) -> None:
    cases = Axis(
        name=CASE,
        choices=(case("one", "model.backbone=test_vit", "loss.mc=0.5"), case("rest", "data.points=9")),
    )
    found = plan(space(tiny, cases, settings=["data.points=16"]))
    assert [(c.case, *key(c, "data.points")) for c in found.cells] == [
        ("one", "tiny", "test_vit", "deconv", 0.5, 0, 16),
        ("rest", "tiny", "test_resnet", "deconv", 0.02, 0, 9),
        ("rest", "tiny", "test_convnext", "deconv", 0.02, 0, 9),
    ]
    assert found.merged == []


def test_the_recipes_own_value_is_one_of_an_axis_where_that_is_asked(tiny: Recipe) -> None:
    recipe = dataclasses.replace(tiny, loss_weights=(0.02, 0.1))
    weights = Axis(name="loss.mc", choices=(OWN, *Axis.of("loss.mc", [0.5, 0.1]).choices))
    points = Axis(name="data.points", choices=(OWN, *Axis.of("data.points", [16]).choices))
    cells = cells_of(recipe, weights, points, backbones=["test_resnet"])
    assert [(c.config.loss.mc, c.config.data.points) for c in cells] == list(
        product([0.02, 0.1, 0.5], [32, 16])
    )


def test_two_values_that_print_alike_are_two_trials(tiny: Recipe) -> None:
    cells = cells_of(tiny, backbones=["test_resnet"], loss_weights=[0.02, 0.0200000001])
    assert [cell.config.loss.mc for cell in cells] == [0.02, 0.0200000001]


def test_doubles_are_merged_and_said(tiny: Recipe) -> None:
    rates = Axis(
        name="optim.lr",
        choices=tuple(case(text, f"optim.lr={text}") for text in ("1e-3", "0.001", "3e-3", "1e-3")),
    )
    found = plan(space(tiny, rates, backbones=["test_resnet"], heads=["study", "deconv"]))
    assert [c.config.optim.lr for c in found.cells] == [0.001, 0.003]
    assert found.merged == [
        "optim.lr 0.001 is the same as optim.lr 1e-3",
        "model.head deconv is the same as model.head study",
        "model.head deconv, optim.lr 0.001 is the same as model.head study, optim.lr 1e-3",
        "model.head deconv is the same as model.head study",
    ]


def test_a_training_of_other_length_is_another_value_of_its_axis(tiny: Recipe) -> None:
    cells = cells_of(tiny, Axis.of("optim.epochs", [2, 7]), backbones=["test_resnet"])
    assert [cell.config.optim.epochs for cell in cells] == [2, 7]
    assert cells[0].config == cells_of(tiny, backbones=["test_resnet"])[0].config


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"backbones": ["resnt34"]}, "did you mean 'resnet34'"),
        ({"heads": ["decon"]}, "unknown head 'decon'; did you mean 'deconv'"),
        ({"backbones": ["test_vit"], "heads": ["direct"]}, "stride"),
        ({"settings": ["optim.lrr=1"]}, "optim.lr"),
        ({"loss_weights": [-1.0]}, "loss.mc: .*-1.0"),
        ({"seeds": [1.5]}, "seed: .*1.5"),
    ],
)
def test_what_cannot_be_built_is_refused(tiny: Recipe, axes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        cells_of(tiny, **axes)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([Axis.of("optim.lrr", [1])], "optim.lrr: unknown setting 'optim.lrr'; did you mean 'optim.lr'"),
        ([Axis.of("data.points", [3])], "data.points"),
        ([Axis.of("optim.accumulate", [3])], "3 does not divide the batch of 4"),
        ([Axis.of("data.points", [9])], "data.points is varied, and set to 16 for all trials"),
        ([Axis(name=CASE, choices=(case("a", "seed=3"),))], "case 'a' sets seed, an axis of its own"),
        ([Axis(name=CASE, choices=(case("a", "recipe=best"),))], "case 'a' sets recipe, an axis of its own"),
        (
            [Axis.of("optim.lr", [1]), Axis(name=CASE, choices=(case("a", "optim.lr=3"),))],
            "case 'a' sets optim.lr, an axis of its own",
        ),
        ([Axis(name=CASE, choices=(case("a", "optim.lrr=3"),))], "case 'a': unknown setting 'optim.lrr'"),
    ],
)
def test_axes_that_contradict_settings_are_refused(tiny: Recipe, axes: list[Axis], message: str) -> None:
    with pytest.raises(UserError, match=message):
        cells_of(tiny, *axes, settings=["data.points=16"], backbones=["test_resnet"])


def test_settings_reach_every_trial_and_nothing_else_changes(tiny: Recipe) -> None:
    plain = cells_of(tiny, seeds=[0, 1])
    cells = cells_of(tiny, seeds=[0, 1], settings=["optim.lr=0.5", "data.points=7"])
    for before, after in zip(plain, cells, strict=True):
        optim = dataclasses.replace(before.config.optim, lr=0.5)
        data = dataclasses.replace(before.config.data, points=7)
        assert after.config == dataclasses.replace(before.config, optim=optim, data=data)


def test_weights_are_fetched_once_for_each_network_that_starts_from_any(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Any] = []
    cells = cells_of(tiny, seeds=[0, 1])
    monkeypatch.setattr(network, "CorrespondenceNet", built.append)
    fetch_weights(cells)
    assert built == []
    pretrained = cells_of(tiny, settings=["model.pretrained=yes"], seeds=[0, 1])
    built.clear()
    fetch_weights([*cells, *pretrained])
    assert [(model.backbone, model.pretrained) for model in built] == [
        ("test_resnet", True),
        ("test_convnext", True),
    ]
    model = dataclasses.replace(cells[0].config.model, released="stage.pth")
    fetch_weights([Cell(config=dataclasses.replace(cells[0].config, model=model))])
    assert built[2:] == [model]


def test_networks_are_checked_without_memory_or_weights(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[Any, str]] = []
    _check_network.cache_clear()
    monkeypatch.setattr(
        network, "CorrespondenceNet", lambda model: built.append((model, torch.empty(0).device.type))
    )
    cells_of(tiny, settings=["model.pretrained=yes"], seeds=[0, 1], heads=["deconv", "fpn"])
    assert [(m.backbone, m.head, m.pretrained, device) for m, device in built] == [
        (name, head, False, "meta") for name in tiny.backbones for head in ("deconv", "fpn")
    ]
    cells_of(tiny, seeds=[2])
    assert len(built) == 4  # the same networks once
    _check_network.cache_clear()
