"""Which trials a sweep runs, and what it refuses before anything starts."""

import dataclasses
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe
from sweeps.space import plan_trials


@pytest.mark.slow
def test_default_is_each_backbone_of_the_recipe_under_the_head_of_the_study() -> None:
    trials = plan_trials([RECIPES["quick"]])
    pairs = [(trial.config.model.backbone, trial.config.model.head) for trial in trials]
    assert pairs == [
        ("resnet10t", "deconv"),
        ("swin_nano_patch4_window8", "deconv"),
        ("convnext_zepto_rms", "deconv"),
        ("hrnet_w18_small", "direct"),
    ]


def test_axes_multiply_and_names_are_unique(tiny: Recipe) -> None:
    trials = plan_trials(
        [tiny], heads=["deconv", "direct"], loss_weights=[0.02, 0.2], seeds=[0, 1, 2], epochs=7
    )
    assert len(trials) == len({trial.name for trial in trials}) == 2 * 2 * 2 * 3
    assert {trial.config.optim.epochs for trial in trials} == {7}
    chosen = next(t for t in trials if t.name == "test_convnext-direct-mc0.2-seed2")
    assert chosen.config.loss.mc == 0.2
    assert chosen.config.seed == 2


def test_study_and_the_same_head_by_name_are_one_trial(tiny: Recipe) -> None:
    assert len(plan_trials([tiny], backbones=["test_resnet"], heads=["study", "deconv"])) == 1


def test_epochs_and_pretraining_default_to_the_recipe(tiny: Recipe) -> None:
    config = plan_trials([tiny])[0].config
    assert config.optim.epochs == tiny.base.optim.epochs
    assert config.model.pretrained == tiny.base.model.pretrained


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"backbones": ["resnt34"]}, "did you mean 'resnet34'"),
        ({"heads": ["decon"]}, "did you mean 'deconv'"),
        ({"backbones": ["test_vit"], "heads": ["direct"]}, "stride"),
        ({"settings": ["optim.lrr=1"]}, "optim.lr"),
        ({"settings": ["seed=3"]}, "--set: seed tells the trials of a sweep apart; use --seeds"),
        ({"settings": ["model.backbone=resnet18"]}, "use --backbones"),
    ],
)
def test_what_cannot_be_built_is_refused(tiny: Recipe, axes: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_trials([tiny], **axes)


def test_recipes_are_an_axis_that_names_the_trials_only_if_there_are_several(tiny: Recipe) -> None:
    base = dataclasses.replace(tiny.base, recipe="other")
    other = dataclasses.replace(tiny, name="other", base=base, loss_weights=(0.2, 0.3))
    trials = plan_trials([tiny, other], backbones=["test_resnet"])
    assert [trial.name for trial in trials] == [
        "tiny-test_resnet-deconv-mc0.02-seed0",
        "other-test_resnet-deconv-mc0.2-seed0",
        "other-test_resnet-deconv-mc0.3-seed0",
    ]
    assert [trial.config.recipe for trial in trials] == ["tiny", "other", "other"]
    alone = plan_trials([tiny], backbones=["test_resnet"])
    assert alone[0].name == "test_resnet-deconv-mc0.02-seed0"
    assert alone[0].config == trials[0].config


def test_settings_reach_every_trial_and_nothing_else_changes(tiny: Recipe) -> None:
    plain = plan_trials([tiny], seeds=[0, 1])
    trials = plan_trials([tiny], seeds=[0, 1], settings=["optim.lr=0.5", "data.points=7"])
    for before, after in zip(plain, trials, strict=True):
        assert after.name == before.name
        optim = dataclasses.replace(before.config.optim, lr=0.5)
        data = dataclasses.replace(before.config.data, points=7)
        assert after.config == dataclasses.replace(before.config, optim=optim, data=data)
