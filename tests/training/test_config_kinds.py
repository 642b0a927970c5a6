"""Values of settings: which kinds are taken from a file, and what the loss weights come to."""

from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.plain import from_dict
from epropnp.training.config import LossConfig, TrialConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": True}, "config.seed: True is not a whole number"),
        ({"seed": 1.5}, "config.seed: 1.5 is not a whole number"),
        ({"seed": "1"}, "config.seed: '1' is not a whole number"),
        ({"seed": None}, "config.seed: None is not a whole number"),
        ({"optim": {"lr": "1e-3"}}, "config.optim.lr: '1e-3' is not a number"),
        ({"optim": {"lr": True}}, "config.optim.lr: True is not a number"),
        ({"optim": {"lr": None}}, "config.optim.lr: None is not a number"),
        ({"optim": {"clip_norm": "none"}}, "config.optim.clip_norm: 'none' is not a number"),
        ({"model": {"pretrained": 1}}, "config.model.pretrained: 1 is not true or false"),
        ({"model": {"backbone": 18}}, "config.model.backbone: 18 is not a text"),
        ({"optim": {"milestones": 50}}, "config.optim.milestones: 50 is not a list"),
        ({"optim": {"milestones": [50, 1.5]}}, "config.optim.milestones[1]: 1.5 is not a whole number"),
        ({"loss": {"own": [["a"]]}}, "config.loss.own[0]: ['a'] does not have 2 values"),
        ({"loss": {"own": [["a", 1, 2]]}}, "config.loss.own[0]: ['a', 1, 2] does not have 2 values"),
        ({"optim": 3}, "config.optim: 3 is not a group of settings"),
        ({"optim": None}, "config.optim: None is not a group of settings"),
        ({"optim": {"schedule": "cosine"}}, "config.optim.schedule: 'cosine' is not one of step, onecycle"),
        ({"data": {"augment": {"hue": 1}}}, "config.data.augment: unknown key 'hue'"),
        ({"loss": {"own": [["coord", 1.0]]}}, "loss.own: 'coord' is a term of its own; set loss.coord"),
        ({"loss": {"own": [["deriv_r", 1.0]]}}, "loss.own: 'deriv_r' is a term of its own; set loss.deriv_r"),
        ({"optim": {"accumulate": 0}}, "optim.accumulate: 0 does not divide the batch of 32"),
        ({"optim": {"accumulate": 3}}, "optim.accumulate: 3 does not divide the batch of 32"),
        ({"optim": {"accumulate": 64}}, "optim.accumulate: 64 does not divide the batch of 32"),
    ],
)
def test_values_of_another_kind_are_refused_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        from_dict(TrialConfig, values)
    assert str(error.value).startswith(message)


def test_values_take_the_kind_of_their_setting() -> None:
    values = {"optim": {"lr": 1, "clip_norm": None, "milestones": []}, "loss": {"own": [["a", 2]]}}
    config = from_dict(TrialConfig, values)
    assert (config.optim.lr, type(config.optim.lr)) == (1.0, float)
    assert config.optim.clip_norm is None
    assert config.optim.milestones == ()
    assert config.loss.own == (("a", 2.0),)
    assert config.optim.epochs == TrialConfig().optim.epochs  # what is not named stays
    assert from_dict(TrialConfig, {"optim": {"accumulate": 32}}).optim.accumulate == 32
    assert from_dict(TrialConfig, {"evaluation": {"hypotheses": 64}}).evaluation.hypotheses == 64


def test_terms_of_weight_0_are_no_terms() -> None:
    config = LossConfig(coord=0.5, mc=0.0, deriv_t=0.25, own=(("sharp", 0.125), ("flat", 0.0)))
    assert config.weights == {"coord": 0.5, "deriv_t": 0.25, "sharp": 0.125}
    assert LossConfig(coord=0, mc=2, deriv_r=3).weights == {"mc": 2, "deriv_r": 3}
