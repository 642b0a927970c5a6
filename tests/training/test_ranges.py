"""Ranges: every number of the config tree has one, both of whose sides are where they are said to be."""

import math
import re
import typing

import pytest

from epropnp.errors import UserError
from epropnp.plain import flatten, from_dict, without_none
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import _leaves
from epropnp.training.ranges import ABOVE_ZERO, BELOW_ONE, LEAST, SHARES

CHECKED_ELSEWHERE = {  # and what says no
    "optim.accumulate": "divides the batch",
    "evaluation.hypotheses": "between 1 and the proposals",
    "model.deconv_stride": "the head, which names the strides that there are",
    "pnp.dof": "6 alone",
}
NEXT_ABOVE_ZERO, NEXT_BELOW_ONE = math.ulp(0.0), math.nextafter(1, 0)


def with_value(key: str, value: object) -> TrialConfig:
    """The default config with one setting as given, whatever else it asks for."""
    *groups, name = key.split(".")
    nested: dict[str, object] = {name: value}
    for group in reversed(groups):
        nested = {group: nested}
    if key == "evaluation.proposals":
        nested = {"evaluation": {"proposals": value, "hypotheses": 1}}
    return from_dict(TrialConfig, nested)


def numbers() -> dict[str, type]:
    """Key and type of every number in the tree, those that may be absent, too."""
    bare = {key: without_none(hint) for key, hint in _leaves(TrialConfig)}
    kinds = {
        key: type(typing.get_args(hint)[0]) if typing.get_args(hint) else hint for key, hint in bare.items()
    }
    return {key: kind for key, kind in kinds.items() if kind in (int, float)}


def test_every_number_has_one_range() -> None:
    tables = (*LEAST, *ABOVE_ZERO, *SHARES, *BELOW_ONE)
    assert len(set(tables)) == len(tables)
    assert set(tables) <= flatten(TrialConfig()).keys()
    unguarded = numbers().keys() - set(tables) - CHECKED_ELSEWHERE.keys()
    assert not unguarded, f"no range in epropnp/training/ranges.py for {sorted(unguarded)}"


# What can be said of a number without looking at the table: less than this means nothing.
SMALLEST = {
    **dict.fromkeys(("threads", "model.input_px", "model.head_width", "optim.batch_size"), 1),
    **dict.fromkeys(("evaluation.batch_size", "evaluation.proposals", "data.overfit"), 1),
    **dict.fromkeys(("pnp.amis_iterations", "pnp.amis_samples", "data.augment.occluders"), 1),
    "pnp.rslm_points": 3,  # determine a pose, but for four solutions
    "data.points": 4,  # determine one
}


@pytest.mark.parametrize("key", LEAST)
def test_the_least_values_are_those_below_which_nothing_is_meant(key: str) -> None:
    assert LEAST[key] == SMALLEST.get(key, 0)
    with_value(key, LEAST[key])
    with_value(key, LEAST[key] + 1)


@pytest.mark.parametrize("key", [key for key in LEAST if numbers()[key] is float])
def test_a_float_just_below_the_least_is_refused(key: str) -> None:
    below = math.nextafter(LEAST[key], -1)
    with pytest.raises(UserError, match=rf"^{re.escape(key)}: .* is not at least 0$"):
        with_value(key, below)


@pytest.mark.parametrize("key", ABOVE_ZERO)
def test_what_has_to_be_above_zero_may_be_as_small_as_one_likes(key: str) -> None:
    with_value(key, NEXT_ABOVE_ZERO)
    with_value(key, 1e6)
    for value in (0.0, -0.0, -NEXT_ABOVE_ZERO):
        with pytest.raises(UserError, match=rf"^{re.escape(key)}: .* is not above 0$"):
            with_value(key, value)


@pytest.mark.parametrize("key", SHARES)
def test_shares_reach_from_nothing_to_all(key: str) -> None:
    with_value(key, 0.0)
    with_value(key, 1.0)
    for value in (-NEXT_ABOVE_ZERO, math.nextafter(1, 2)):
        with pytest.raises(UserError, match=rf"^{re.escape(key)}: .* is not between 0 and 1$"):
            with_value(key, value)


@pytest.mark.parametrize("key", BELOW_ONE)
def test_what_has_to_stay_below_one_may_come_as_close_as_one_likes(key: str) -> None:
    with_value(key, 0.0)
    with_value(key, NEXT_BELOW_ONE)
    for value in (-NEXT_ABOVE_ZERO, 1.0):
        with pytest.raises(UserError, match=rf"^{re.escape(key)}: .* is not from 0 to below 1$"):
            with_value(key, value)


@pytest.mark.parametrize("key", [*LEAST, *ABOVE_ZERO, *SHARES, *BELOW_ONE])
def test_not_a_number_is_in_no_range(key: str) -> None:
    if numbers()[key] is float:
        with pytest.raises(UserError, match=f"^{re.escape(key)}: nan is not"):
            with_value(key, math.nan)


@pytest.mark.parametrize("key", ["optim.clip_norm", "optim.ema", "data.overfit"])
def test_an_absent_number_is_in_range(key: str) -> None:
    assert flatten(with_value(key, None))[key] == "None"


@pytest.mark.parametrize(
    ("hypotheses", "proposals", "fits"), [(1, 1, True), (4, 4, True), (5, 4, False), (0, 4, False)]
)
def test_hypotheses_are_at_most_as_many_as_proposals(hypotheses: int, proposals: int, fits: bool) -> None:
    values = {"evaluation": {"hypotheses": hypotheses, "proposals": proposals}}
    if fits:
        assert from_dict(TrialConfig, values).evaluation.hypotheses == hypotheses
        return
    with pytest.raises(
        UserError, match=f"{hypotheses} is not between 1 and evaluation.proposals .{proposals}"
    ):
        from_dict(TrialConfig, values)


@pytest.mark.parametrize(
    ("accumulate", "batch", "fits"),
    [(1, 7, True), (7, 7, True), (2, 8, True), (2, 7, False), (8, 4, False), (0, 4, False), (-2, 4, False)],
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
