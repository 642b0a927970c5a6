"""Settings as texts: typed by the config, and refused with the setting's name."""

import dataclasses
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import pytest

from epropnp.errors import UserError
from epropnp.plain import flatten
from epropnp.settings import settings_of
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import override, read_settings, typed
from epropnp.training.recipes import RECIPES


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("optim.lr=1e-3", 1e-3),
        ("optim.lr = 2", 2.0),
        ("optim.epochs=7", 7),
        ("model.backbone=resnet18", "resnet18"),
        ("model.released=a=b", "a=b"),
        ("model.pretrained=yes", True),
        ("model.pretrained=True", True),
        ("loss.symmetric=no", False),
        ("optim.milestones=0.25,0.5", (0.25, 0.5)),
        ("optim.milestones=", ()),
        ("optim.milestones=none", ()),
        ("loss.own=None", ()),
        ("optim.clip_norm=none", None),
        ("optim.clip_norm=5", 5.0),
        ("loss.own=sharp:0.1, flat:2", (("sharp", 0.1), ("flat", 2.0))),
        ("optim.optimiser=adamw", "adamw"),
        ("pnp.dof=6", 6),
        ("data.augment.occlusion=0.5", 0.5),
        ("seed=3", 3),
    ],
)
def test_values_have_the_type_of_the_setting(setting: str, value: Any) -> None:
    changed: Any = override(TrialConfig(), [setting])
    for name in setting.partition("=")[0].strip().split("."):
        changed = getattr(changed, name)
    assert changed == value
    assert type(changed) is type(value)


def test_the_last_setting_counts_and_the_others_stay() -> None:
    config = RECIPES["quick"].trial("resnet10t", "deconv", 0.05, seed=1)
    changed = override(config, ["optim.epochs=2", "optim.epochs=3"])
    before, after = flatten(config), flatten(changed)
    assert {key: after[key] for key in after if after[key] != before[key]} == {"optim.epochs": 3}
    assert override(config, []) == config


@pytest.mark.parametrize("recipe", RECIPES)
def test_values_are_typed_as_they_are_read(recipe: str) -> None:
    config = override(RECIPES[recipe].first, ["loss.own=sharp:0.1,flat:-2", "optim.ema=0.99"])
    values = {setting.key: attrgetter(setting.key)(config) for setting in settings_of(TrialConfig)}
    words = [f"{key}={typed(value)}" for key, value in values.items()]
    assert override(TrialConfig(), words) == config
    assert typed(config.loss.own) == "sharp:0.1,flat:-2.0"


def test_settings_are_read_without_the_config_that_they_are_for() -> None:
    """What fits its setting may still contradict another one: that shows when they come together."""
    assert read_settings(["optim.accumulate=3", "seed=1", "seed=2"]) == {"optim.accumulate": 3, "seed": 2}
    with pytest.raises(UserError, match="does not divide the batch of 32"):
        override(TrialConfig(), ["optim.accumulate=3"])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Other:
    """Settings of kinds that a trial has none of."""

    file: Path | None = None
    pair: tuple[float, float] | None = None
    names: tuple[str, ...] | None = ("a",)
    choice: Literal["one", "two"] | None = None


OTHER = settings_of(Other, "other.")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("file=a/b.json", Path("a/b.json")),
        ("file=none", None),
        ("pair=0.25, 2", (0.25, 2.0)),
        ("pair=none", None),
        ("names=b, c", ("b", "c")),
        ("names=none", ()),
        ("names=", ()),
        ("choice=two", "two"),
        ("choice=none", None),
    ],
)
def test_settings_of_another_config_are_read_alike(text: str, value: Any) -> None:
    key = text.partition("=")[0]
    assert read_settings([f"other.{text}"], OTHER) == {f"other.{key}": value}
    assert read_settings([f"other.{key}={typed(value)}"], OTHER) == {f"other.{key}": value}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("other.nams=a", "unknown setting 'other.nams'; did you mean 'other.names'?"),
        ("other.pair=1", "config.other.pair: ['1'] does not have 2 values"),
        ("other.pair=1,x", "config.other.pair[1]: 'x' is not a number"),
        ("other.pair=1,inf", "config.other.pair[1]: 'inf' is not a number"),
        ("other.choice=three", "config.other.choice: 'three' is not one of one, two"),
        ("optim.lr=1", "unknown setting 'optim.lr'; settings begin with other."),
    ],
)
def test_what_another_config_does_not_have_is_refused(setting: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        read_settings([setting], OTHER)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.lr", "'optim.lr' is not KEY=VALUE, such as optim.lr=1e-3"),
        ("optim.lrr=1", "unknown setting 'optim.lrr'; did you mean 'optim.lr'?"),
        ("model.lr=1", "unknown setting 'model.lr'; did you mean 'optim.lr'?"),
        (
            "batch_size=8",
            "unknown setting 'batch_size'; did you mean 'optim.batch_size' or 'evaluation.batch_size'?",
        ),
        (
            "qqq=1",
            "unknown setting 'qqq'; settings begin with model., pnp., loss., optim., data., evaluation.",
        ),
        ("optim.epochs=1.5", "config.optim.epochs: '1.5' is not a whole number"),
        ("optim.lr=fast", "config.optim.lr: 'fast' is not a number"),
        ("optim.lr=nan", "config.optim.lr: 'nan' is not a number"),
        ("optim.lr=none", "config.optim.lr: 'none' is not a number"),
        ("model.pretrained=3", "config.model.pretrained: '3' is not true or false"),
        ("optim.optimiser=adam", "config.optim.optimiser: 'adam' is not one of rmsprop, adamw"),
        ("optim.milestones=1,b", "config.optim.milestones[1]: 'b' is not a number"),
        ("loss.own=sharp", "config.loss.own[0]: ['sharp'] does not have 2 values"),
        ("loss.own=sharp:x", "config.loss.own[0][1]: 'x' is not a number"),
        ("optim.batch_size=0", "optim.batch_size: 0 is not at least 1"),
        ("optim.lr=-1", "optim.lr: -1.0 is not at least 0"),
        ("seed=-1", "seed: -1 is not at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(setting: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        override(TrialConfig(), [setting])
    assert str(error.value) == message
