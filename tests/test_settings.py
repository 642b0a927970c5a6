"""What stands at a setting is found there: range, choices, and the text below it."""

import dataclasses
import math
from typing import Annotated, Literal

import pytest

from epropnp.errors import UserError
from epropnp.settings import Range, Share, check_ranges, settings_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    """A group of settings."""

    share: Share = 0.5
    """Of it all."""
    bare: str = "a"
    points: Annotated[int | None, Range(least=3)] = None
    """How many,
    at least."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    """One setting of each kind."""

    inner: Inner = dataclasses.field(default_factory=Inner)
    switch: bool = True
    """Whether."""
    choice: Literal["one", "two"] = "one"
    pairs: Annotated[tuple[tuple[str, float], ...], Range(above=-1)] = ()
    """Not of `size`."""
    size = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Optional:
    """Settings that may be absent, of which there are few values."""

    choice: Literal["one", "two"] | None = None
    switch: bool | None = None


SETTINGS = {setting.key: setting for setting in settings_of(Outer)}


def test_settings_are_found_by_dotted_keys_in_their_order() -> None:
    assert list(SETTINGS) == ["inner.share", "inner.bare", "inner.points", "switch", "choice", "pairs"]
    assert [setting.hint for setting in SETTINGS.values()][:4] == [float, str, int | None, bool]


def test_help_is_the_text_below_the_field_in_one_line() -> None:
    texts = {key: setting.help for key, setting in SETTINGS.items()}
    assert texts == {
        "inner.share": "Of it all.",
        "inner.bare": "",
        "inner.points": "How many, at least.",
        "switch": "Whether.",
        "choice": "",
        "pairs": "Not of `size`.",
    }


def test_limits_are_the_range_or_the_choices_in_words() -> None:
    words = {key: setting.limits for key, setting in SETTINGS.items()}
    assert words == {
        "inner.share": "between 0 and 1",
        "inner.bare": "",
        "inner.points": "at least 3, or none",
        "switch": "yes, no",
        "choice": "one, two",
        "pairs": "above -1",
    }
    assert [each.limits for each in settings_of(Optional)] == ["one, two, or none", "yes, no, or none"]


@pytest.mark.parametrize(
    ("bounds", "words", "inside", "outside"),
    [
        (Range(), "finite", (-1e300, 0, 1e300), (math.nan, math.inf, -math.inf)),
        (Range(least=0), "at least 0", (0, 7), (-1, math.inf, math.nan)),
        (Range(above=0), "above 0", (5e-324, 1), (0, -0.0)),
        (Range(most=2), "at most 2", (-9, 2), (3,)),
        (Range(below=2), "below 2", (-9, 1), (2,)),
        (Range(least=0, most=1), "between 0 and 1", (0, 1), (-0.1, 1.1)),
        (Range(least=0, below=1), "from 0 to below 1", (0, 0.9), (-0.1, 1)),
        (Range(above=0, most=1), "above 0 and at most 1", (0.1, 1), (0, 1.1)),
    ],
)
def test_a_range_in_words_and_numbers(
    bounds: Range, words: str, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert str(bounds) == words
    assert all(number in bounds for number in inside)
    assert not any(number in bounds for number in outside)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (Outer(inner=Inner(share=1.5)), "inner.share: 1.5 is not between 0 and 1"),
        (Outer(inner=Inner(share=math.nan)), "inner.share: nan is not finite"),
        (Outer(inner=Inner(points=2)), "inner.points: 2 is not at least 3"),
        (Outer(pairs=(("a", 1.0), ("b", -1.0))), "pairs: -1.0 is not above -1"),
    ],
)
def test_the_first_number_out_of_range_is_named(config: Outer, message: str) -> None:
    with pytest.raises(UserError) as error:
        check_ranges(config)
    assert str(error.value) == message


def test_what_is_absent_or_no_number_has_no_range() -> None:
    check_ranges(Outer())
    check_ranges(Outer(inner=Inner(bare="-9"), switch=False, pairs=(("a", 0.0),)))
