"""Values of every kind through the config tree: what is taken, what becomes of it, what is compared."""

import dataclasses
import typing
from typing import Any, Literal

import pytest

from epropnp.errors import UserError
from epropnp.plain import differing, flatten, from_dict, to_dict, without_none
from epropnp.settings import settings_of
from epropnp.training.config import LossConfig, TrialConfig
from epropnp.training.identity import INCIDENTAL, identity, trial_hash
from epropnp.training.overrides import override
from tests.training.settings import BASE, SETTINGS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    """A group of settings."""

    share: float = 0.5
    switch: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Kinds:
    """One setting of each kind."""

    whole: int = 1
    real: float = 1.0
    text: str = "a"
    maybe: float | None = None
    maybe_text: str | None = "b"
    choice: Literal["one", "two"] = "one"
    number_choice: Literal[4, 6] = 6
    several: tuple[int, ...] = (1,)
    pairs: tuple[tuple[str, float], ...] = ()
    inner: Inner = dataclasses.field(default_factory=Inner)


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ({"whole": -3}, "whole", -3),
        ({"real": 2}, "real", 2.0),  # a whole number is a number, and is stored as a float
        ({"real": -1.5}, "real", -1.5),
        ({"text": ""}, "text", ""),
        ({"maybe": None}, "maybe", None),
        ({"maybe": 3}, "maybe", 3.0),
        ({"maybe_text": None}, "maybe_text", None),
        ({"choice": "two"}, "choice", "two"),
        ({"number_choice": 4}, "number_choice", 4),
        ({"several": []}, "several", ()),
        ({"several": (3, 1)}, "several", (3, 1)),
        ({"pairs": [["x", 1], ["y", -2.5]]}, "pairs", (("x", 1.0), ("y", -2.5))),
        ({"inner": {"switch": True}}, "inner", Inner(switch=True)),
        ({"inner": {}}, "inner", Inner()),
    ],
)
def test_a_value_is_taken_and_has_its_settings_type(values: dict[str, Any], name: str, expected: Any) -> None:
    found = from_dict(Kinds, values)
    value = getattr(found, name)
    assert value == expected
    assert type(value) is type(expected)
    assert (
        all(type(a) is type(b) for a, b in zip(value, expected, strict=True))
        if isinstance(value, tuple)
        else 1
    )
    assert dataclasses.replace(found, **{name: getattr(Kinds(), name)}) == Kinds()  # the others are left


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"whole": 1.0}, "here.whole: 1.0 is not a whole number"),
        ({"whole": "1"}, "here.whole: '1' is not a whole number"),
        ({"whole": True}, "here.whole: True is not a whole number"),
        ({"whole": None}, "here.whole: None is not a whole number"),
        ({"real": "1.0"}, "here.real: '1.0' is not a number"),
        ({"real": True}, "here.real: True is not a number"),
        ({"text": 1}, "here.text: 1 is not a text"),
        ({"text": None}, "here.text: None is not a text"),
        ({"maybe": "none"}, "here.maybe: 'none' is not a number"),
        ({"maybe_text": False}, "here.maybe_text: False is not a text"),
        ({"choice": "One"}, "here.choice: 'One' is not one of one, two"),
        ({"choice": None}, "here.choice: 'None' is not one of one, two"),
        ({"number_choice": 5}, "here.number_choice: '5' is not one of 4, 6"),
        ({"several": 1}, "here.several: 1 is not a list"),
        ({"several": "12"}, "here.several: '12' is not a list"),
        ({"several": [1, 2.5]}, "here.several[1]: 2.5 is not a whole number"),
        ({"pairs": [["x"]]}, "here.pairs[0]: ['x'] does not have 2 values"),
        ({"pairs": [["x", 1, 2]]}, "here.pairs[0]: ['x', 1, 2] does not have 2 values"),
        ({"pairs": [["x", 1], [2, 1]]}, "here.pairs[1][0]: 2 is not a text"),
        ({"inner": []}, "here.inner: [] is not a group of settings"),
        ({"inner": None}, "here.inner: None is not a group of settings"),
        ({"inner": {"share": "x"}}, "here.inner.share: 'x' is not a number"),
        ({"inner": {"switch": 0}}, "here.inner.switch: 0 is not true or false"),
        ({"inner": {"swich": True}}, "here.inner: unknown key 'swich'; did you mean 'switch'?"),
        ({"nothing_like_it": 1}, "here: unknown key 'nothing_like_it'"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        from_dict(Kinds, values, "here")
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": True}, "config.seed: True is not a whole number"),
        ({"optim": {"clip_norm": "none"}}, "config.optim.clip_norm: 'none' is not a number"),
        ({"optim": 3}, "config.optim: 3 is not a group of settings"),
        ({"optim": {"schedule": "cosine"}}, "config.optim.schedule: 'cosine' is not one of step, onecycle"),
        (
            {"model": {"head": "c"}},
            "unknown head 'c'; heads are deconv, direct, fpn, upsample, or MODULE.CLASS of your own",
        ),
        ({"model": {"pretrained": 1}}, "config.model.pretrained: 1 is not true or false"),
        ({"recipe": 1}, "config.recipe: 1 is not a text"),
        ({"data": {"augment": {"hue": 1}}}, "config.data.augment: unknown key 'hue'"),
    ],
)
def test_a_trials_config_says_where_a_value_of_another_kind_is(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError) as error:
        from_dict(TrialConfig, values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("optim.lr=1", "optim.lr", 1.0),
        ("optim.lr=+1e-3", "optim.lr", 1e-3),
        ("optim.clip_norm=None", "optim.clip_norm", None),
        ("optim.clip_norm=NONE", "optim.clip_norm", None),
        ("data.overfit=none", "data.overfit", None),
        ("model.weights_file=none", "model.weights_file", None),
        ("model.released=None.pth", "model.released", "None.pth"),
        ("model.backbone=none", "model.backbone", "none"),  # a text that may not be absent
        ("recipe= with spaces ", "recipe", "with spaces"),
        ("recipe=", "recipe", ""),
        ("loss.symmetric=YES", "loss.symmetric", True),
        ("loss.symmetric=true", "loss.symmetric", True),
        ("loss.symmetric=False", "loss.symmetric", False),
        ("optim.milestones=0.5", "optim.milestones", (0.5,)),
        ("optim.milestones= 0.5 , 1 ", "optim.milestones", (0.5, 1.0)),
        ("loss.own=", "loss.own", ()),
        ("loss.own=a.b.c:-0.5", "loss.own", (("a.b.c", -0.5),)),
        ("pnp.dof=6", "pnp.dof", 6),
        ("evaluation.detector.scale=0.125", "evaluation.detector.scale", 0.125),
    ],
)
def test_a_text_stands_for_a_value(setting: str, name: str, value: Any) -> None:
    config: Any = override(TrialConfig(), [setting])
    for part in name.split("."):
        config = getattr(config, part)
    assert config == value
    assert type(config) is type(value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.lr=inf", "'inf' is not a number"),
        ("optim.lr=-inf", "'-inf' is not a number"),
        ("optim.lr=", "'' is not a number"),
        ("optim.clip_norm=", "'' is not a number"),
        ("optim.lr=1,5", "'1,5' is not a number"),
        ("optim.epochs=none", "'none' is not a whole number"),
        ("optim.epochs=1e2", "'1e2' is not a whole number"),
        ("loss.symmetric=1", "'1' is not true or false"),
        ("loss.symmetric=none", "'none' is not true or false"),
        ("optim.milestones=1;2", "'1;2' is not a number"),
        ("optim.milestones=1,,2", "'' is not a number"),
        ("pnp.dof=5", "'5' is not one of 4, 6"),
        ("evaluation.initial=EPnP", "'EPnP' is not one of random, epnp, epnp_or_random"),
        ("loss.own=a:1:2", "does not have 2 values"),
        ("=1", "unknown setting ''"),
        ("optim=1", "unknown setting 'optim'"),
        ("optim.lr.x=1", "unknown setting 'optim.lr.x'"),
        ("data.scale_jitter=0", "did you mean 'data.augment.scale_jitter'?"),
    ],
)
def test_a_text_that_stands_for_nothing_is_refused(setting: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        override(TrialConfig(), [setting])
    assert message in str(error.value)


def test_later_settings_go_over_earlier_ones_and_over_the_config() -> None:
    base = override(TrialConfig(), ["optim.lr=0.5", "seed=4"])
    found = override(base, ["optim.lr=0.25", "data.points=9", "optim.lr=0.125"])
    assert (found.optim.lr, found.data.points, found.seed) == (0.125, 9, 4)
    assert base.optim.lr == 0.5


@pytest.mark.parametrize("name", [name for name in SETTINGS if " " not in name])
def test_every_setting_changes_the_hash_its_own_line_and_nothing_else(name: str) -> None:
    setting = SETTINGS[name]
    before = override(BASE, setting.given)
    after = override(before, [f"{name}={setting.other}"])
    assert trial_hash(after, "ab") != trial_hash(before, "ab")
    own = set(identity(before).items()) ^ set(identity(after).items())
    assert {key for key, _ in own} == {name}
    (changed,) = differing(to_dict(before), to_dict(after))
    assert changed == (name, flatten(before)[name], flatten(after)[name])
    assert from_dict(TrialConfig, to_dict(after)) == after


def test_the_number_of_loader_processes_is_no_part_of_a_trials_identity() -> None:
    more = override(TrialConfig(), ["data.workers=3"])
    assert trial_hash(more, "ab") == trial_hash(TrialConfig(), "ab")
    assert identity(more) == identity(TrialConfig())
    assert INCIDENTAL == ("data.workers",)
    assert to_dict(more)["data"]["workers"] == 3  # `identity` leaves the config as it is


def test_differing_names_what_is_new_and_passes_over_what_is_gone() -> None:
    assert differing({"a": {"b": 1, "old": 2}}, {"a": {"b": 3, "new": 4}}) == [
        ("a.b", 1, 3),
        ("a.new", None, 4),
    ]
    assert differing({"a": 1}, {"a": 1}) == []


def test_flat_values_are_plain_and_keep_their_type() -> None:
    flat = flatten(
        override(TrialConfig(), ["loss.own=x:0.5", "optim.milestones=0.1,0.2", "model.pretrained=yes"])
    )
    assert flat["loss.own"] == "[['x', 0.5]]"
    assert flat["optim.milestones"] == "[0.1, 0.2]"
    assert flat["model.pretrained"] is True
    assert flat["optim.clip_norm"] == "None"
    assert flat["seed"] == 0
    assert list(flat) == [setting.key for setting in settings_of(TrialConfig)]


def test_terms_of_weight_zero_are_not_among_the_losss() -> None:
    loss = LossConfig(coord=0.0, mc=0.5, deriv_r=2.0, own=(("mine", -1.0), ("off", 0.0)))
    assert loss.weights == {"mc": 0.5, "deriv_r": 2.0, "mine": -1.0}
    assert LossConfig().weights == {"coord": 1.0, "mc": 0.02}


@pytest.mark.parametrize("term", ["coord", "mc", "deriv_t", "deriv_r"])
def test_terms_that_are_there_cannot_be_ones_own(term: str) -> None:
    with pytest.raises(UserError, match=f"^loss.own: '{term}' is a term of its own; set loss.{term}$"):
        LossConfig(own=((term, 1.0),))


def test_hints_without_none() -> None:
    assert without_none(float | None) is float
    assert without_none(typing.Optional[str]) is str  # noqa: UP045 (as older Python writes it)
    assert without_none(int) is int
