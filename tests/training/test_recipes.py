"""Recipes: the published variants' settings, and the same methods at a size for comparison."""

import dataclasses

import pytest

from epropnp.pnp import PnPConfig
from epropnp.pnp.layer import BLIND_PROPOSALS
from epropnp.training.config import OptimConfig, TrialConfig
from epropnp.training.recipes import RECIPES, small, study_head


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
    assert (found.model.backbone, found.model.pretrained, found.model.input_px) == (
        "resnet34.tv_in1k",
        True,
        256,
    )
    optim = found.optim
    assert (optim.optimiser, optim.lr, optim.epochs, optim.batch_size) == ("rmsprop", 1e-4, 160, 32)
    assert (optim.schedule, optim.milestone_epochs, optim.weight_decay) == ("step", (50, 100, 150), 0.0)
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
    assert small(RECIPES["paper"]).base.optim.milestone_epochs == (2, 5, 7)
    assert small(RECIPES["quick"]) == RECIPES["quick"]


def test_milestones_keep_their_share_of_another_length() -> None:
    config = RECIPES["paper"].trial("resnet34", "deconv", 0.02, 0, epochs=40)
    assert (config.optim.epochs, config.optim.milestone_epochs) == (40, (12, 25, 37))


@pytest.mark.parametrize("name", RECIPES)
def test_milestones_are_the_whole_epochs_of_integer_arithmetic(name: str) -> None:
    """Of the report's 50, 100 and 150 of 160 epochs; a small recipe's of 8 are stretched from 2, 5 and 7."""
    for length in range(1, 201):
        steps = RECIPES[name].base.optim.schedule == "step"
        wanted = tuple(length * epoch // 160 for epoch in (50, 100, 150)) if steps else ()
        wanted_small = tuple(length * epoch // 8 for epoch in (2, 5, 7)) if steps else ()
        found = RECIPES[name].trial("resnet34", "deconv", 0.02, 0, epochs=length).optim
        found_small = small(RECIPES[name]).trial("resnet10t", "deconv", 0.02, 0, epochs=length).optim
        assert (found.milestone_epochs, found_small.milestone_epochs) == (wanted, wanted_small)


def test_the_reports_comparison() -> None:
    """Table 1: four backbones with their heads, 13 objects without bowl and cup, 1,000 renderings of each."""
    paper = RECIPES["paper"]
    heads = {name: study_head(name) for name in paper.backbones}
    assert heads == {
        "resnet34.tv_in1k": "deconv",
        "swin_tiny_patch4_window7_224.ms_in1k": "deconv",
        "convnext_tiny.fb_in1k": "deconv",
        "hrnet_w32.ms_in1k": "direct",
    }
    assert " ".join(sorted(paper.objects)) == (
        "ape benchvise camera can cat driller duck eggbox glue holepuncher iron lamp phone"
    )
    assert (paper.train, paper.loss_weights) == (1000, (0.02,))


@pytest.mark.parametrize("name", OFFICIAL)
def test_published_variants_share_network_pose_layer_and_augmentation(name: str) -> None:
    found = config(name)
    model, augment, optim = found.model, found.data.augment, found.optim
    assert (model.deconv_stride, model.head_width, model.map_px) == (32, 256, 64)
    assert (augment.shift_jitter, augment.background_synthetic, augment.background_real) == (0.25, 1.0, 0.5)
    extras = (augment.occlusion, augment.color, augment.grey, augment.blur, augment.noise)
    assert extras == (0, 0, 0, 0, 0)
    assert (optim.clip_norm, optim.precision, optim.accumulate, optim.ema) == (None, "float32", 1, None)
    assert (found.loss.symmetric, found.data.real_repeats, found.data.overfit) == (False, 1, None)
    assert RECIPES[name].backbones == ("resnet34.tv_in1k",)
    assert found.pnp == PnPConfig()


def test_the_pose_layer_starts_from_the_settings_of_the_official_6dof_training() -> None:
    pnp = PnPConfig()
    assert (pnp.dof, pnp.kernel, pnp.relative_delta, pnp.learn_delta) == (6, "adaptive", 0.1, False)
    assert (pnp.lm_iterations, pnp.lm_initial_radius, pnp.lm_min_relative_decrease) == (5, 30.0, 1e-3)
    assert (pnp.lm_min_diagonal, pnp.lm_max_diagonal, pnp.lm_epsilon) == (1e-6, 1e32, 1e-5)
    assert (pnp.rslm_proposals, BLIND_PROPOSALS) == (4, 64)
    assert (pnp.rslm_points, pnp.rslm_iterations) == (16, 3)
    assert (pnp.amis_iterations, pnp.amis_samples, pnp.dispersion) == (4, 128, 0.001)


@pytest.mark.parametrize("pretrained", [True, False, None])
@pytest.mark.parametrize("name", ["paper", "quick"])
def test_each_axis_of_a_sweep_reaches_its_setting_and_nothing_else(
    name: str, pretrained: bool | None
) -> None:
    recipe = RECIPES[name]
    trial = recipe.trial("convnext_tiny", "fpn", 0.07, 13, pretrained=pretrained)
    base = recipe.base
    weights = base.model.pretrained if pretrained is None else pretrained
    depth = {"paper": 0.1, "quick": None}[name]  # the study's for this family
    model = dataclasses.replace(
        base.model, backbone="convnext_tiny", head="fpn", pretrained=weights, drop_path=depth
    )
    loss = dataclasses.replace(base.loss, mc=0.07)
    assert trial == dataclasses.replace(base, model=model, loss=loss, seed=13)
    longer = recipe.trial("convnext_tiny", "fpn", 0.07, 13, epochs=320, pretrained=pretrained)
    assert longer == dataclasses.replace(trial, optim=dataclasses.replace(base.optim, epochs=320))
    assert longer.optim.milestone_epochs == {"paper": (100, 200, 300), "quick": ()}[name]


def test_small_is_the_size_of_a_comparison_on_two_cores() -> None:
    for recipe in RECIPES.values():
        little, base = small(recipe), small(recipe).base
        assert (base.model.input_px, base.model.deconv_stride, base.model.head_width) == (128, 16, 64)
        assert (base.optim.precision, base.data.points, base.pnp.amis_samples) == ("bf16", 256, 32)
        assert (base.model.pretrained, base.evaluation.proposals) == (False, 32)
        assert (little.objects, little.train, little.validation, little.test) == (("cat",), 2000, 500, 300)
        assert len(little.backbones) == 4
        assert (little.name, base.recipe) == (recipe.name, recipe.name)
        kept = ("schedule", "weight_decay", "clip_norm", "ema", "accumulate", "skip_limit")
        assert all(getattr(base.optim, key) == getattr(recipe.base.optim, key) for key in kept)


def test_every_recipe_is_known_by_its_name_and_marks_its_trials_with_it() -> None:
    for name, recipe in RECIPES.items():
        assert (recipe.name, recipe.base.recipe) == (name, name)


def test_best_and_quick_train_with_one_cycle_of_adamw() -> None:
    """`best` at its own rate, averaging weights and choosing among equivalent poses; README."""
    best, quick = RECIPES["best"].base, RECIPES["quick"].base
    one_cycle = OptimConfig(
        optimiser="adamw",
        lr=2e-3,
        weight_decay=0.01,
        schedule="onecycle",
        milestones=(),
        clip_norm=5.0,
        precision="bf16",
    )
    assert quick.optim == dataclasses.replace(one_cycle, epochs=8, batch_size=16)
    assert best.optim == dataclasses.replace(one_cycle, lr=1.5e-3, ema=0.998, skip_limit=0.001)
    assert best.loss.symmetric
    assert (best.loss.weights["deriv_t"], best.loss.weights["deriv_r"]) == (1.0, 1.0)
    assert (best.loss.deriv_ramp, quick.loss.deriv_ramp) == (1.0, 0.0)
    assert RECIPES["best"].loss_weights == (0.5,)
    assert (best.model.weight_norm, quick.model.weight_norm) == ("v2", "v2")
    assert (quick.loss.weights["deriv_t"], quick.loss.weights["deriv_r"]) == (1.0, 0.2)
    assert RECIPES["quick"].loss_weights == (0.5,)
