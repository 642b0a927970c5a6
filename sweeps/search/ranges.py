"""What `--search KEY=SPACE` says: a list of values makes an axis, two ends a range of numbers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from epropnp.errors import UserError
from epropnp.plain import without_none
from epropnp.settings import Setting
from epropnp.training.overrides import key_and_text, suggestion
from sweeps.build_settings import KNOWN, check_varied
from sweeps.space import RECIPE, SEED, Axis

LOG, STEP = "log", "step"
DIGITS = 4
MOST = 10_000  # numbers of a grid
FORMS = "KEY=A,B,C, KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=LOW:HIGH:stepN"
Number = int | float


@dataclass(frozen=True, kw_only=True)
class NumberRange:
    """The numbers that a search may give a setting.

    Attributes:
        key: dotted name of the setting.
        low, high: both belong to it; whole numbers where the setting's are.
        log: whether their logarithms are drawn evenly.
        step: between neighbours, from `low` on, with `high` the last; None: any number, or any whole one.
    """

    key: str
    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @property
    def whole(self) -> bool:
        """Whether the setting takes whole numbers only."""
        return isinstance(self.low, int)

    @property
    def count(self) -> int | None:
        """How many numbers it has; None where it has no end of them."""
        if self.step is None and not self.whole:
            return None
        low, high, step = self._exact
        return int((high - low) / step) + 1

    def values(self) -> Iterator[Number]:
        """All of them, where they can be counted."""
        for k in range(self.count or 0):
            yield self._number(k)

    def nearest(self, value: Number) -> Number:
        """The number of the range that stands for a drawn one; without steps, in DIGITS that matter."""
        if self.count is None:
            return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)
        low, _, step = self._exact
        return self._number(round((Decimal(str(value)) - low) / step))

    def __str__(self) -> str:
        """In words."""
        more = ", evenly by its logarithm" if self.log else f" in steps of {self.step}" if self.step else ""
        return f"{self.low} to {self.high}{more}"

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (self.count is None or self.nearest(value) == value)

    @property
    def _exact(self) -> tuple[Decimal, Decimal, Decimal]:
        low, high, step = (Decimal(str(number)) for number in (self.low, self.high, self.step or 1))
        return low, high, step

    def _number(self, k: int) -> Number:
        low, _, step = self._exact
        return type(self.low)(low + k * step)


def searched(text: str) -> Axis | NumberRange:
    """What a search may give a setting.

    Args:
        text: of one of the FORMS.

    Raises:
        UserError: another form, an unknown setting (naming the nearest), values that do not fit it, ends in
            the wrong order, a step that misses the upper one.
    """
    key, space = key_and_text(text)
    if not space:
        raise UserError(f"'{text}' is none of {FORMS}")
    if key in (RECIPE, SEED):
        flag = {RECIPE: "--recipe A B compares recipes", SEED: "each setting is tried with all of --seeds"}
        raise UserError(f"{key} is no setting to search: {flag[key]}")
    setting = _setting(key)
    hint = without_none(setting.hint)
    if hint in (int, float) and ":" in space:
        return _range(setting, hint, space)
    values = [value.strip() for value in space.split(",")]
    if not all(values):
        raise UserError(f"{key}: '{space}' has a value that is empty")
    check_varied(f"{key}={value}" for value in values)
    return Axis.of(key, list(dict.fromkeys(values)))


def _setting(key: str) -> Setting:
    by_key = {setting.key: setting for setting in KNOWN}
    if key not in by_key:
        raise UserError(f"unknown setting '{key}'{suggestion(key, by_key)}")
    return by_key[key]


def _range(setting: Setting, kind: type[int] | type[float], text: str) -> NumberRange:
    key = setting.key
    first, last, *more = text.split(":")
    low, high = (_number(key, kind, end) for end in (first, last))
    check_varied(f"{key}={end}" for end in (low, high))
    if not low < high:
        raise UserError(f"{key}: {text} begins with {low}, which is not below {high}")
    if key.startswith("build."):
        raise UserError(f"{key}: each value makes a dataset of its own: list those to try, {key}=A,B")
    match more:
        case []:
            return NumberRange(key=key, low=low, high=high)
        case [word] if word == LOG:
            if low <= 0:
                raise UserError(
                    f"{key}: {text} has no logarithm at {low}: begin above 0, or leave `:log` out"
                )
            return NumberRange(key=key, low=low, high=high, log=True)
        case [word] if word.startswith(STEP):
            step = _number(key, kind, word.removeprefix(STEP))
            _check_step(key, low, high, step)
            return NumberRange(key=key, low=low, high=high, step=step)
    raise UserError(f"{key}: '{text}' is none of {FORMS}")


def _number(key: str, kind: type[int] | type[float], text: str) -> Number:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{key}: '{text}' is not {'a whole number' if kind is int else 'a number'}")
    return number


def _check_step(key: str, low: Number, high: Number, step: Number) -> None:
    """UserError, naming the nearest ends, where steps from `low` on do not reach `high`."""
    try:
        exact = [Decimal(str(number)) for number in (low, high, step)]
        steps = (exact[1] - exact[0]) / exact[2]
    except (InvalidOperation, ZeroDivisionError):
        steps = Decimal(-1)
    if steps < 0:
        raise UserError(f"{key}: a step of {step} leads from {low} away from {high}")
    if steps != int(steps):
        below, above = (exact[0] + (int(steps) + k) * exact[2] for k in (0, 1))
        ends = f"{below:f} or {above:f}" if below > exact[0] else f"{above:f}"
        raise UserError(f"{key}: steps of {step} from {low} on do not end at {high}: nearest are {ends}")


def listed(found: NumberRange) -> Axis:
    """All its numbers as an axis. UserError where they cannot be listed."""
    if found.count is None:
        raise UserError(
            f"{found.key}: a grid has no end of numbers between {found.low} and {found.high}: list them, or "
            "give a step"
        )
    if found.count > MOST:
        raise UserError(f"{found.key}: a grid would have {found.count} numbers of it: give a larger step")
    return Axis.of(found.key, list(found.values()))
