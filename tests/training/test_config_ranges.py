"""Ranges: every number of the config tree has one, both of whose sides are where they are said to be."""

import math
import re
import typing
from collections.abc import Iterator
from typing import Any

import pytest

from epropnp.errors import UserError
from epropnp.plain import flatten, from_dict
from epropnp.settings import Range, Setting, settings_of
from epropnp.training.config import TrialConfig

SETTINGS = {setting.key: setting for setting in settings_of(TrialConfig)}


def kinds(hint: Any) -> set[Any]:
    """The plain types that a value of this type is made of; choices are none."""
    if typing.get_origin(hint) is typing.Literal:
        return set()
    inner = [part for part in typing.get_args(hint) if part is not Ellipsis]
    return set().union(*map(kinds, inner)) if inner else {hint}


def as_value(setting: Setting, number: float) -> Any:
    """The number as a value of the setting: alone, in a list, or in a pair in a list."""
    if typing.get_origin(setting.hint) is not tuple:
        return number
    pairs = typing.get_origin(typing.get_args(setting.hint)[0]) is tuple
    return [["mine", number]] if pairs else [number]


def with_value(key: str, value: Any) -> TrialConfig:
    """The default config with one setting as given, whatever else it asks for."""
    *groups, name = key.split(".")
    nested: dict[str, object] = {name: value}
    for group in reversed(groups):
        nested = {group: nested}
    return from_dict(TrialConfig, nested)


NUMBERS = {key: kinds(setting.hint) & {int, float} for key, setting in SETTINGS.items()}
NUMBERS = {key: kind for key, kind in NUMBERS.items() if kind}
FLOATS = [key for key, kind in NUMBERS.items() if float in kind]

# What can be said of a number without looking at its setting: outside of this it means nothing.
ABOVE_ZERO = (
    *("pnp.relative_delta", "pnp.delta", "pnp.lm_initial_radius", "pnp.lm_max_diagonal"),
    "optim.clip_norm",
)
SHARES = (
    *("model.cell_anchor", "optim.milestones", "loss.deriv_ramp"),
    *("data.augment.shift_jitter", "data.augment.color", "data.augment.noise"),
    *("data.augment.background_synthetic", "data.augment.background_real"),
    *("data.augment.occlusion", "data.augment.occluder_crops", "data.augment.grey", "data.augment.blur"),
)
BELOW_ONE = ("optim.ema", "model.drop_path", "data.augment.scale_jitter", "evaluation.detector.scale")
LEAST = {  # of the others; 0 where nothing is said
    **dict.fromkeys(("threads", "model.input_px", "model.head_width", "optim.batch_size"), 1),
    **dict.fromkeys(("evaluation.batch_size", "evaluation.proposals", "data.overfit"), 1),
    **dict.fromkeys(("optim.accumulate", "evaluation.hypotheses"), 1),
    **dict.fromkeys(("pnp.amis_iterations", "pnp.amis_samples", "data.augment.occluders"), 1),
    "pnp.rslm_points": 3,  # determine a pose, but for four solutions
    "data.points": 4,  # determine one
    "model.deconv_stride": 4,  # that of the output maps: no head reads a finer feature
}
EXPECTED = {
    **{key: Range(least=LEAST.get(key, 0)) for key in NUMBERS},
    **dict.fromkeys(ABOVE_ZERO, Range(above=0)),
    **dict.fromkeys(SHARES, Range(least=0, most=1)),
    **dict.fromkeys(BELOW_ONE, Range(least=0, below=1)),
    "loss.own": Range(),  # a term of one's own may be a reward
}


def test_every_number_has_a_range_and_nothing_else_has() -> None:
    assert len(NUMBERS) >= 57
    assert {key: setting.range for key, setting in SETTINGS.items() if setting.range} == EXPECTED


def test_every_setting_says_what_it_is() -> None:
    assert not [key for key, setting in SETTINGS.items() if not re.fullmatch(r"[A-Z].+\.", setting.help)]


def sides(bounds: Range, whole: bool) -> Iterator[tuple[float, float]]:
    """At each end of a range, the last number inside and the first one outside."""

    def next_to(bound: float, towards: float) -> float:
        return bound + math.copysign(1, towards) if whole else math.nextafter(bound, towards)

    for bound, outwards in ((bounds.least, -math.inf), (bounds.most, math.inf)):
        if bound is not None:
            yield bound, next_to(bound, outwards)
    for bound, inwards in ((bounds.above, math.inf), (bounds.below, -math.inf)):
        if bound is not None:
            yield next_to(bound, inwards), bound


@pytest.mark.parametrize("key", NUMBERS)
def test_the_last_number_inside_is_taken_and_the_first_outside_is_not(key: str) -> None:
    (kind,) = NUMBERS[key]
    ends = list(sides(EXPECTED[key], kind is int))
    assert ends or key == "loss.own"
    for inside, outside in ends:
        with_value(key, as_value(SETTINGS[key], kind(inside)))
        with pytest.raises(UserError) as error:
            with_value(key, as_value(SETTINGS[key], kind(outside)))
        assert str(error.value) == f"{key}: {kind(outside)} is not {EXPECTED[key]}"


@pytest.mark.parametrize("key", FLOATS)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_in_no_range(key: str, number: float) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(key)}: {number} is not finite$"):
        with_value(key, as_value(SETTINGS[key], number))


@pytest.mark.parametrize("key", ["optim.clip_norm", "optim.ema", "data.overfit"])
def test_an_absent_number_is_in_range(key: str) -> None:
    assert flatten(with_value(key, None))[key] == "None"


@pytest.mark.parametrize(("hypotheses", "proposals", "fits"), [(1, 1, True), (4, 4, True), (5, 4, False)])
def test_hypotheses_are_at_most_as_many_as_proposals(hypotheses: int, proposals: int, fits: bool) -> None:
    values = {"evaluation": {"hypotheses": hypotheses, "proposals": proposals}}
    if fits:
        assert from_dict(TrialConfig, values).evaluation.hypotheses == hypotheses
        return
    with pytest.raises(UserError, match=f"{hypotheses} is not at most evaluation.proposals .{proposals}"):
        from_dict(TrialConfig, values)


@pytest.mark.parametrize(
    ("accumulate", "batch", "fits"),
    [(1, 7, True), (7, 7, True), (2, 8, True), (2, 7, False), (8, 4, False)],
)
def test_parts_of_a_batch_are_equal(accumulate: int, batch: int, fits: bool) -> None:
    values = {"optim": {"accumulate": accumulate, "batch_size": batch}}
    if fits:
        assert from_dict(TrialConfig, values).optim.accumulate == accumulate
        return
    with pytest.raises(
        UserError, match=f"optim.accumulate: {accumulate} does not divide the batch of {batch}"
    ):
        from_dict(TrialConfig, values)


def test_epnp_goes_with_one_hypothesis_and_several_with_random_starts() -> None:
    from_dict(TrialConfig, {"evaluation": {"hypotheses": 1, "initial": "epnp"}})
    from_dict(TrialConfig, {"evaluation": {"hypotheses": 2, "initial": "random"}})
    with pytest.raises(UserError, match=r"several need evaluation\.initial=random"):
        from_dict(TrialConfig, {"evaluation": {"hypotheses": 2, "initial": "epnp"}})


def test_a_file_of_weights_goes_with_pretrained_alone() -> None:
    from_dict(TrialConfig, {"model": {"weights_file": "a", "pretrained": True}})
    from_dict(TrialConfig, {"model": {"released": "b", "pretrained": True}})
    from_dict(TrialConfig, {"model": {"released": "b"}})
