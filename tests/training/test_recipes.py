"""Recipes: the published variants' settings, and the same methods at a size for comparison."""

import pytest

from epropnp.training.config import TrialConfig
from epropnp.training.recipes import RECIPES, small


def config(name: str) -> TrialConfig:
    recipe = RECIPES[name]
    return recipe.trial(recipe.backbones[0], "deconv", recipe.loss_weights[0], 0)


OFFICIAL = {  # weight normalisation, loss weights, as in the released settings
    "official_v1b": ("v1b", {"coord": 1.0, "mc": 0.02}),
    "official_reg": ("v1b", {"coord": 1.0, "mc": 0.02, "deriv_t": 0.1, "deriv_r": 0.1}),
    "official_v2": ("v2", {"coord": 1.0, "mc": 0.2, "deriv_t": 1.0, "deriv_r": 1.0}),
    "official_v2_no_model": ("v2", {"mc": 0.2, "deriv_t": 1.0, "deriv_r": 1.0}),
}


@pytest.mark.parametrize("name", OFFICIAL)
def test_published_variants(name: str) -> None:
    found = config(name)
    assert (found.model.weight_norm, found.loss.weights) == OFFICIAL[name]
    assert found.recipe == name
    assert (found.model.backbone, found.model.pretrained, found.model.input_px) == ("resnet34", True, 256)
    optim = found.optim
    assert (optim.optimiser, optim.lr, optim.epochs, optim.batch_size) == ("rmsprop", 1e-4, 160, 32)
    assert (optim.schedule, optim.milestones, optim.weight_decay) == ("step", (50, 100, 150), 0.0)
    assert (found.data.points, found.data.augment.scale_jitter, found.data.augment.rotation_deg) == (
        512,
        0.25,
        0,
    )
    assert found.loss.coord_mean == "all"
    assert found.evaluation.initial == "epnp"


def test_a_small_recipe_changes_sizes_and_not_the_method() -> None:
    for recipe in RECIPES.values():
        little = small(recipe)
        base, scaled = recipe.base, little.base
        assert scaled.loss == base.loss
        assert scaled.model.weight_norm == base.model.weight_norm
        assert (scaled.optim.optimiser, scaled.optim.lr) == (base.optim.optimiser, base.optim.lr)
        assert scaled.data.augment == base.data.augment
        assert (scaled.optim.epochs, scaled.optim.batch_size, scaled.model.input_px) == (8, 16, 128)
        assert little.loss_weights == recipe.loss_weights
    assert small(RECIPES["paper"]).base.optim.milestones == (2, 5, 7)
    assert small(RECIPES["quick"]) == RECIPES["quick"]


def test_milestones_keep_their_share_of_another_length() -> None:
    config = RECIPES["paper"].trial("resnet34", "deconv", 0.02, 0, epochs=40)
    assert (config.optim.epochs, config.optim.milestones) == (40, (12, 25, 37))
