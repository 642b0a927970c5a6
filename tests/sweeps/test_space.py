"""Which trials a sweep runs, and what it refuses before anything starts."""

import pytest

from epropnp.errors import UserError
from epropnp.training.recipes import RECIPES, Recipe
from sweeps.space import plan_trials


def test_default_is_each_backbone_of_the_recipe_under_the_head_of_the_study() -> None:
    trials = plan_trials(RECIPES["quick"])
    pairs = [(trial.config.model.backbone, trial.config.model.head) for trial in trials]
    assert pairs == [
        ("resnet10t", "deconv"),
        ("swin_nano_patch4_window8", "deconv"),
        ("convnext_zepto_rms", "deconv"),
        ("hrnet_w18_small", "direct"),
    ]


def test_axes_multiply_and_names_are_unique(tiny: Recipe) -> None:
    trials = plan_trials(
        tiny, heads=["deconv", "direct"], loss_weights=[0.02, 0.2], seeds=[0, 1, 2], epochs=7
    )
    assert len(trials) == len({trial.name for trial in trials}) == 2 * 2 * 2 * 3
    assert {trial.config.optim.epochs for trial in trials} == {7}
    chosen = next(t for t in trials if t.name == "test_convnext-direct-mc0.2-seed2")
    assert chosen.config.loss.mc == 0.2
    assert chosen.config.seed == 2


def test_study_and_the_same_head_by_name_are_one_trial(tiny: Recipe) -> None:
    assert len(plan_trials(tiny, backbones=["test_resnet"], heads=["study", "deconv"])) == 1


def test_epochs_and_pretraining_default_to_the_recipe(tiny: Recipe) -> None:
    config = plan_trials(tiny)[0].config
    assert config.optim.epochs == tiny.base.optim.epochs
    assert config.model.pretrained == tiny.base.model.pretrained


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"backbones": ["resnt34"]}, "did you mean 'resnet34'"),
        ({"heads": ["decon"]}, "did you mean 'deconv'"),
        ({"backbones": ["test_vit"], "heads": ["direct"]}, "stride"),
    ],
)
def test_what_cannot_be_built_is_refused(tiny: Recipe, axes: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan_trials(tiny, **axes)
