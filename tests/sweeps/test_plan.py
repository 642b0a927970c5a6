"""Each trial of a sweep is trained as its name says, and each flag reaches its own setting."""

import dataclasses
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from epropnp.models import network
from epropnp.plain import flatten
from epropnp.training.recipes import RECIPES, Recipe
from sweeps import backbones
from sweeps.flags import SweepConfig
from sweeps.space import PlannedTrial, fetch_weights, plan_trials

AXES = ("recipe", "model.backbone", "model.head", "loss.mc", "seed")


def cell(trial: PlannedTrial) -> tuple[Any, ...]:
    return tuple(flatten(trial.config)[key] for key in AXES)


def test_the_axes_multiply_in_their_order_and_the_names_say_which_is_which(tiny: Recipe) -> None:
    names, heads, weights, seeds = ["test_vit", "test_resnet"], ["fpn", "deconv"], [0.5, 0.02], [7, 0, 3]
    trials = plan_trials([tiny], backbones=names, heads=heads, loss_weights=weights, seeds=seeds)
    cells = list(product(names, heads, weights, seeds))
    assert [cell(trial) for trial in trials] == [("tiny", *each) for each in cells]
    assert [trial.name for trial in trials] == [f"{b}-{h}-mc{w:g}-seed{s}" for b, h, w, s in cells]


def test_nothing_but_the_axes_differs_from_the_recipe(tiny: Recipe) -> None:
    (trial,) = plan_trials([tiny], backbones=["test_vit"], heads=["fpn"], loss_weights=[0.5], seeds=[7])
    given = {"model.backbone": "test_vit", "model.head": "fpn", "loss.mc": 0.5, "seed": 7}
    assert flatten(trial.config) == flatten(tiny.base) | given


def test_each_recipe_brings_its_own_backbones_weights_and_settings(tiny: Recipe) -> None:
    optim = dataclasses.replace(tiny.base.optim, lr=0.25)
    base = dataclasses.replace(tiny.base, recipe="other", optim=optim)
    other = dataclasses.replace(
        tiny, name="other", base=base, backbones=("test_vit", "test_resnet"), loss_weights=(0.3, 0.1)
    )
    trials = plan_trials([other, tiny])
    assert [cell(trial) for trial in trials] == [
        ("other", "test_vit", "deconv", 0.3, 0),
        ("other", "test_vit", "deconv", 0.1, 0),
        ("other", "test_resnet", "deconv", 0.3, 0),
        ("other", "test_resnet", "deconv", 0.1, 0),
        ("tiny", "test_resnet", "deconv", 0.02, 0),
        ("tiny", "test_convnext", "deconv", 0.02, 0),
    ]
    assert [trial.config.optim.lr for trial in trials] == [0.25] * 4 + [tiny.base.optim.lr] * 2


def test_hrnets_have_the_direct_head_in_the_study_and_others_deconvolutions(tiny: Recipe) -> None:
    trials = plan_trials([RECIPES["quick"]], backbones=["hrnet_w18_small", "resnet10t"])
    assert [trial.config.model.head for trial in trials] == ["direct", "deconv"]
    assert [trial.name.split("-")[1] for trial in trials] == ["direct", "deconv"]


def test_weights_are_fetched_once_for_each_network_that_starts_from_any(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Any] = []
    trials = plan_trials([tiny], seeds=[0, 1])
    monkeypatch.setattr(network, "CorrespondenceNet", built.append)
    fetch_weights(trials)
    assert built == []
    pretrained = plan_trials([tiny], pretrained=True, seeds=[0, 1])
    built.clear()
    fetch_weights([*trials, *pretrained])
    assert [(model.backbone, model.pretrained) for model in built] == [
        ("test_resnet", True),
        ("test_convnext", True),
    ]
    model = dataclasses.replace(trials[0].config.model, released="stage.pth")
    config = dataclasses.replace(trials[0].config, model=model)
    fetch_weights([dataclasses.replace(trials[0], config=config)])
    assert built[2:] == [model]


def test_networks_are_checked_without_memory_or_weights(
    tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[tuple[Any, str]] = []
    monkeypatch.setattr(
        network, "CorrespondenceNet", lambda model: built.append((model, torch.empty(0).device.type))
    )
    plan_trials([tiny], pretrained=True, seeds=[0, 1], heads=["deconv", "fpn"])
    assert [(m.backbone, m.head, m.pretrained, device) for m, device in built] == [
        (name, head, False, "meta") for name in tiny.backbones for head in ("deconv", "fpn")
    ]


@pytest.mark.xfail(
    reason="names hold loss weights as printed: of two that print alike one is lost (house issue)",
    strict=True,
)
def test_two_loss_weights_that_print_alike_are_two_trials(tiny: Recipe) -> None:
    trials = plan_trials([tiny], backbones=["test_resnet"], loss_weights=[0.02, 0.0200000001])
    assert [trial.config.loss.mc for trial in trials] == [0.02, 0.0200000001]
    assert len({trial.name for trial in trials}) == 2


@pytest.mark.xfail(
    reason="a second recipe renames the trials of the first, which are trained again (house issue)",
    strict=True,
)
def test_adding_a_recipe_renames_no_trial(tiny: Recipe) -> None:
    other = dataclasses.replace(tiny, name="other", base=dataclasses.replace(tiny.base, recipe="other"))
    before = {trial.name: trial.config for trial in plan_trials([tiny])}
    after = {trial.name: trial.config for trial in plan_trials([tiny, other])}
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)


FLAGS: dict[str, tuple[list[str], dict[str, Any]]] = {  # words -> what differs in the fields of the flags
    "recipe": (["--recipe", "best", "quick"], {"recipe": ("best", "quick")}),
    "small": (["--small"], {"small": True}),
    "set": (
        ["--set", "optim.lr=1", "loss.coord=2", "--set", "data.points=9"],
        {"set": (("optim.lr=1", "loss.coord=2"), ("data.points=9",))},
    ),
    "backbones": (["--backbones", "x", "y"], {"backbones": ("x", "y")}),
    "heads": (["--heads", "fpn", "direct"], {"heads": ("fpn", "direct")}),
    "loss_weights": (["--loss-weights", "0.5", "0"], {"loss_weights": (0.5, 0.0)}),
    "seeds": (["--seeds", "4", "2"], {"seeds": (4, 2)}),
    "epochs": (["--epochs", "7"], {"epochs": 7}),
    "pretrained": (["--pretrained"], {"pretrained": True}),
    "not pretrained": (["--pretrained", "no"], {"pretrained": False}),
    "objects": (["--objects", "ape", "can"], {"objects": ("ape", "can")}),
    "data": (["--data", "s3://bucket/lm"], {"data": "s3://bucket/lm"}),
    "backgrounds": (["--backgrounds", "."], {"backgrounds": Path()}),
    "datasets": (["--datasets", "d"], {"datasets": Path("d")}),
    "out": (["--out", "o"], {"out": Path("o")}),
    "name": (["--name", "n.1_x-y"], {"name": "n.1_x-y"}),
    "trials_at_once": (["--trials-at-once", "3"], {"trials_at_once": 3}),
    "ray_address": (["--ray-address", "auto"], {"ray_address": "auto"}),
    "describe": (["--describe"], {"describe": True}),
    "list_backbones": (["--list-backbones", "conv*"], {"list_backbones": "conv*"}),
    "list_settings": (["--list-settings", "optim.*"], {"list_settings": "optim.*"}),
    "list all settings": (["--list-settings"], {"list_settings": "*"}),
}


def test_every_flag_but_resume_is_tried() -> None:
    tried = {field for _, changes in FLAGS.values() for field in changes}
    assert tried == {field.name for field in dataclasses.fields(SweepConfig)} - {"resume"}


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_sets_its_own_field_and_no_other(flag: str) -> None:
    words, changes = FLAGS[flag]
    config, kept = backbones._read_flags(words)
    assert kept == words
    assert config == dataclasses.replace(SweepConfig(), **changes)


def test_without_flags_a_sweep_is_one_seed_under_the_heads_of_the_study() -> None:
    config = SweepConfig()
    assert (config.heads, config.seeds, config.out, config.datasets) == (
        ("study",),
        (0,),
        Path("runs"),
        Path("data"),
    )
    others = set(vars(config)) - {"heads", "seeds", "out", "datasets"}
    assert {name for name in others if getattr(config, name) not in (None, (), False)} == set()


def test_the_flags_of_a_trial_reach_its_config(tiny: Recipe) -> None:
    config = SweepConfig(
        backbones=("test_vit",),
        heads=("fpn",),
        loss_weights=(0.5,),
        seeds=(7,),
        epochs=9,
        pretrained=True,
        set=(("optim.lr=0.5", "data.points=16"), ("pnp.amis_samples=5",)),
    )
    (trial,) = backbones._plan(config, [tiny])
    given = {
        "model.backbone": "test_vit",
        "model.head": "fpn",
        "model.pretrained": True,
        "loss.mc": 0.5,
        "seed": 7,
        "optim.epochs": 9,
        "optim.lr": 0.5,
        "data.points": 16,
        "pnp.amis_samples": 5,
    }
    assert flatten(trial.config) == flatten(tiny.base) | given


def test_recipes_keep_their_order_come_once_and_small_ones_are_small() -> None:
    config = SweepConfig(recipe=("best", "quick", "best"))
    console: Any = None
    assert backbones._choose_recipes(config, console) == [RECIPES["best"], RECIPES["quick"]]
    small = backbones._choose_recipes(dataclasses.replace(config, small=True), console)
    assert [recipe.name for recipe in small] == ["best", "quick"]
    assert {recipe.base.model.input_px for recipe in small} == {128}
    assert small[0].base.loss == RECIPES["best"].base.loss


@pytest.mark.parametrize(("cuda", "recipe"), [(True, "paper"), (False, "quick")])
def test_the_recipe_fits_the_machine(cuda: bool, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")
    chosen = backbones._choose_recipes(SweepConfig(), backbones.console_or_file())
    assert [each.name for each in chosen] == [recipe]
