"""The config tree: round trips, and unknown keys that name the nearest."""

import pytest

from epropnp.errors import UserError
from epropnp.plain import flatten, from_dict, to_dict
from epropnp.pnp import PnPConfig
from epropnp.training.config import OptimConfig, TrialConfig
from epropnp.training.identity import trial_hash
from epropnp.training.optim import learning_rate
from epropnp.training.recipes import RECIPES


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_round_trip(name: str) -> None:
    config = RECIPES[name].trial("hrnet_w32", "direct", 0.1, seed=3, epochs=7)
    assert from_dict(TrialConfig, to_dict(config)) == config
    assert trial_hash(from_dict(TrialConfig, to_dict(config)), "ab") == trial_hash(config, "ab")


def test_unknown_key_names_the_nearest_and_where() -> None:
    values = to_dict(TrialConfig())
    values["optim"]["weight_decays"] = 1
    with pytest.raises(
        UserError, match=r"config\.optim: unknown key 'weight_decays'; did you mean 'weight_decay'"
    ):
        from_dict(TrialConfig, values)


def test_a_value_outside_the_allowed_ones_is_refused() -> None:
    with pytest.raises(UserError, match="'sgd' is not one of rmsprop, adamw"):
        from_dict(TrialConfig, {"optim": {"optimiser": "sgd"}})


def test_flatten_gives_dotted_plain_values() -> None:
    flat = flatten(TrialConfig())
    assert flat["optim.lr"] == 1e-4
    assert flat["data.augment.scale_jitter"] == 0.25
    assert all(isinstance(value, str | int | float | bool) for value in flat.values())


def test_paper_recipe_is_the_reports() -> None:
    config = RECIPES["paper"].trial("resnet34", "deconv", 0.02, seed=0)
    optim = config.optim
    assert (optim.epochs, optim.batch_size, optim.optimiser, optim.lr) == (160, 32, "rmsprop", 1e-4)
    assert (config.model.input_px, config.model.map_px, config.data.points) == (256, 64, 512)
    assert (config.loss.coord, config.loss.mc, config.loss.deriv_t, config.loss.deriv_r) == (1, 0.02, 0, 0)
    rates = [learning_rate(optim, epoch * 10, steps_per_epoch=10) for epoch in (0, 49, 50, 100, 150, 159)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-6, 1e-7, 1e-7])


def test_a_trial_needs_all_degrees_of_freedom() -> None:
    with pytest.raises(UserError, match=r"pnp\.dof"):
        TrialConfig(pnp=PnPConfig(dof=4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"evaluation": {"hypotheses": 0}}, "0 is not at least 1"),
        ({"evaluation": {"hypotheses": 5, "proposals": 4}}, r"not at most .* \(4\)"),
        ({"evaluation": {"hypotheses": 2, "initial": "epnp"}}, "EPnP gives one pose"),
        ({"evaluation": {"hypotheses": 2, "initial": "epnp_or_random"}}, "EPnP gives one pose"),
        ({"loss": {"own": [["mc", 0.5]]}}, "set loss.mc"),
        ({"loss": {"own": [["flat", 1.0], ["flat", 2.0]]}}, "given twice"),
        ({"data": {"augment": {"scale_jitter": 1.5}}}, "from 0 to below 1"),
        ({"data": {"augment": {"occluders": 0}}}, "at least 1"),
        ({"data": {"augment": {"blur": 2.0}}}, "between 0 and 1"),
        ({"pnp": {"relative_delta": 0.0}}, "above 0"),
        ({"optim": {"clip_norm": 0.0}}, "above 0"),
        ({"model": {"weights_file": "resnet.pth"}}, "model.pretrained is off"),
        ({"model": {"weights_file": "a", "released": "b", "pretrained": True}}, "holds the backbone, too"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_dict(TrialConfig, settings)


@pytest.mark.parametrize(
    ("limit", "updates", "skips"),
    [(0, 75_000, 0), (0.001, 75_000, 75), (0.001, 40, 1), (0.5, 9, 4), (1, 75_000, 1), (10, 5, 10)],
)
def test_a_share_of_all_updates_may_be_left_out_or_a_number_of_them(
    limit: float, updates: int, skips: int
) -> None:
    assert OptimConfig(skip_limit=limit, epochs=1).skips(updates) == skips
    assert OptimConfig(skip_limit=limit, epochs=100).skips(updates // 100 or 1) >= min(skips, 1)
